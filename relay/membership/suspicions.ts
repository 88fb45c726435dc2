/** Open suspicions: who accuses whom, and when the accused is concluded to be dead. */
import type { GossipItem } from "../../protocol/gossip-item.ts";
import type { Suspicion } from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { type GossipContext, isGenuine, memberCount } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer, Trial } from "./peer.ts";
import { suspicionTimeoutMs } from "./suspicion-timeout.ts";

/**
 * How far ahead of our clock somebody may force us by accusing us of what we have not said yet. Others refuse our
 * announcements from this far ahead twice over, and their clocks may be behind ours.
 */
const MAX_FORCED_AHEAD_MS = TIMES.maxClockSkewMs / 2;

export interface SuspicionOutcomes {
  /** This supernode itself is suspected. */
  onSelf(incarnation: number): void;
  /** It is, by somebody whose signature cannot be checked. */
  onUnknownAccuser(from: Peer, accuser: SupernodeId): void;
  onDeath(peer: Peer): void;
  /** Others suspect this peer, and it is for us to see for ourselves. */
  onSecondOpinion(peer: Peer): void;
}

export class Suspicions {
  readonly #context: GossipContext;
  readonly #outcomes: SuspicionOutcomes;
  readonly #open = new Set<Trial>();

  constructor(context: GossipContext, outcomes: SuspicionOutcomes) {
    this.#context = context;
    this.#outcomes = outcomes;
  }

  /** Many members seem to have died at once. */
  get isAlarming(): boolean {
    return (
      this.#open.size >= Math.max(GOSSIP_LIMITS.alarmSuspicions, GOSSIP_LIMITS.alarmShare * memberCount(this.#context))
    );
  }

  /** Whether so many accuse this peer that one more voice changes nothing. */
  isAmple(peer: Peer): boolean {
    return peer.trial !== null && peer.trial.accusers.length > GOSSIP_LIMITS.confirmations;
  }

  /** In our own name. */
  accuse(peer: Peer): void {
    const { self, metrics } = this.#context;
    // Once enough have said so, one more voice changes nothing and costs everybody.
    if (!peer.isLive || peer.trial?.accusers.includes(self.id) || this.isAmple(peer)) return;
    metrics.suspicionsRaised++;
    this.#add(peer, self.suspect(peer.id, peer.announcement.value.incarnation));
  }

  apply(suspicion: Signed<Suspicion>, from: Peer): void {
    const { table, self, metrics, now } = this.#context;
    const { subject, incarnation, accuser: accuserId } = suspicion.value;
    if (accuserId === self.id || accuserId === subject) return;
    if (subject === self.id) {
      this.#applyToSelf(suspicion, from);
      return;
    }
    // Most of what comes was heard before: that must cost next to nothing.
    const peer = table.get(subject);
    if (!peer?.isLive || incarnation !== peer.announcement.value.incarnation) return;
    if (this.isAmple(peer) || peer.trial?.accusers.includes(accuserId)) return;
    const accuser = table.get(accuserId);
    if (!accuser?.voucher) return;
    if (!isGenuine(this.#context, "suspicion", suspicion, accuser.certificate.value.signKey, from)) return;
    if (!accuser.suspicions().take(now)) {
      metrics.refused.flooded++;
      return;
    }
    const isFirst = peer.trial === null;
    this.#add(peer, suspicion);
    const share = GOSSIP_LIMITS.secondOpinions / memberCount(this.#context);
    if (isFirst && this.#context.random() < share) this.#outcomes.onSecondOpinion(peer);
  }

  /** The suspicion that a peer has not refuted; of one that we hold for dead we can always make one. */
  against(peer: Peer): GossipItem[] {
    if (peer.status !== "suspect" && peer.status !== "dead") return [];
    const { incarnation } = peer.announcement.value;
    if (peer.suspicion?.value.incarnation !== incarnation) {
      peer.suspicion = this.#context.self.suspect(peer.id, incarnation);
    }
    return [{ kind: "suspicion", suspicion: peer.suspicion }];
  }

  /** The suspect has answered. Who accused it first pays for it. */
  refuted(peer: Peer): void {
    const { metrics, table, now } = this.#context;
    const first = peer.trial?.accusers[0];
    if (!this.over(peer)) return;
    peer.suspicion = null;
    peer.hasRefuted(now);
    metrics.suspicionsRefuted++;
    if (first) table.get(first)?.suspicions().charge(GOSSIP_LIMITS.refutedSuspicionCost, now);
  }

  /** True if there was a suspicion. */
  over(peer: Peer): boolean {
    const { agenda, queue } = this.#context;
    const open = peer.trial;
    if (!open) return false;
    peer.trial = null;
    this.#open.delete(open);
    agenda.cancel(open.death);
    for (const news of open.news) queue.withdraw(news);
    return true;
  }

  postpone(byMs: number): void {
    for (const open of this.#open) open.startedAt += byMs;
  }

  #applyToSelf(suspicion: Signed<Suspicion>, from: Peer): void {
    const { self, table, metrics, now } = this.#context;
    const { incarnation, accuser: accuserId } = suspicion.value;
    if (incarnation > Math.max(self.announcement.value.incarnation, now + MAX_FORCED_AHEAD_MS)) {
      metrics.refused["from-the-future"]++;
      return;
    }
    const accuser = table.get(accuserId);
    // Who accuses us in vain only because we do not know each other yet must become known.
    if (!accuser?.voucher) this.#outcomes.onUnknownAccuser(from, accuserId);
    else if (isGenuine(this.#context, "suspicion", suspicion, accuser.certificate.value.signKey, from)) {
      this.#outcomes.onSelf(incarnation);
    }
  }

  #add(peer: Peer, suspicion: Signed<Suspicion>): void {
    const { agenda, queue, table, times, now } = this.#context;
    const { trial } = peer;
    const startedAt = trial?.startedAt ?? now;
    const confirmations = trial?.accusers.length ?? 0;
    const deathAt = startedAt + suspicionTimeoutMs(times, memberCount(this.#context), confirmations);
    const death = agenda.schedule(Math.max(now, deathAt), () => this.#outcomes.onDeath(peer));
    const news = queue.tell({ kind: "suspicion", suspicion });
    if (trial) {
      agenda.cancel(trial.death);
      trial.death = death;
      trial.accusers.push(suspicion.value.accuser);
      trial.news.push(news);
    } else {
      peer.trial = { startedAt, accusers: [suspicion.value.accuser], news: [news], death };
      this.#open.add(peer.trial);
    }
    peer.suspicion = suspicion;
    if (peer.status === "alive") table.setStatus(peer, "suspect", now);
  }
}
