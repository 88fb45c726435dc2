/** Open suspicions: who accuses whom, and when the accused is concluded to be dead. */
import type { GossipItem } from "../../protocol/gossip-item.ts";
import type { Suspicion } from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { Appointment } from "./agenda.ts";
import { type GossipContext, isGenuine, memberCount } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer } from "./peer.ts";
import { suspicionTimeoutMs } from "./suspicion-timeout.ts";

interface OpenSuspicion {
  startedAt: number;
  readonly accusers: readonly SupernodeId[];
  readonly death: Appointment;
}

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
  readonly #open = new Map<SupernodeId, OpenSuspicion>();

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

  /** In our own name. */
  accuse(peer: Peer): void {
    const { self, metrics } = this.#context;
    if (!peer.isLive || this.#accusersOf(peer.id).includes(self.id)) return;
    metrics.suspicionsRaised++;
    this.#add(peer, self.suspect(peer.id, peer.announcement.value.incarnation));
  }

  apply(suspicion: Signed<Suspicion>, from: Peer): void {
    const { table, self, metrics, now } = this.#context;
    const { subject, incarnation, accuser: accuserId } = suspicion.value;
    if (accuserId === self.id || accuserId === subject) return;
    const accuser = table.get(accuserId);
    if (!accuser?.voucher) {
      // Who accuses us in vain only because we do not know each other yet must become known.
      if (subject === self.id) this.#outcomes.onUnknownAccuser(from, accuserId);
      return;
    }
    const key = accuser.certificate.value.signKey;
    if (subject === self.id) {
      if (isGenuine(this.#context, "suspicion", suspicion, key, from)) this.#outcomes.onSelf(incarnation);
      return;
    }
    const peer = table.get(subject);
    if (!peer?.isLive || incarnation !== peer.announcement.value.incarnation) return;
    const accusers = this.#accusersOf(subject);
    if (accusers.includes(accuserId) || accusers.length > GOSSIP_LIMITS.confirmations) return;
    if (!isGenuine(this.#context, "suspicion", suspicion, key, from)) return;
    if (!accuser.suspicions(now).take(now)) {
      metrics.refused.flooded++;
      return;
    }
    this.#add(peer, suspicion);
    const share = GOSSIP_LIMITS.secondOpinions / memberCount(this.#context);
    if (accusers.length === 0 && this.#context.random() < share) this.#outcomes.onSecondOpinion(peer);
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
    const [first] = this.#accusersOf(peer.id);
    if (!this.over(peer)) return;
    peer.suspicion = null;
    metrics.suspicionsRefuted++;
    if (first) table.get(first)?.suspicions(now).charge(GOSSIP_LIMITS.refutedSuspicionCost, now);
  }

  /** True if there was a suspicion. */
  over(peer: Peer): boolean {
    const { agenda, queue } = this.#context;
    const open = this.#open.get(peer.id);
    if (!open) return false;
    this.#open.delete(peer.id);
    agenda.cancel(open.death);
    for (const accuser of open.accusers) queue.remove(newsOf(peer.id, accuser));
    return true;
  }

  postpone(byMs: number): void {
    for (const open of this.#open.values()) open.startedAt += byMs;
  }

  #add(peer: Peer, suspicion: Signed<Suspicion>): void {
    const { agenda, queue, table, times, now } = this.#context;
    const known = this.#open.get(peer.id);
    agenda.cancel(known?.death);
    const accusers = [...(known?.accusers ?? []), suspicion.value.accuser];
    const startedAt = known?.startedAt ?? now;
    const deathAt = startedAt + suspicionTimeoutMs(times, memberCount(this.#context), accusers.length - 1);
    const death = agenda.schedule(Math.max(now, deathAt), () => this.#outcomes.onDeath(peer));
    this.#open.set(peer.id, { startedAt, accusers, death });
    peer.suspicion = suspicion;
    if (peer.status === "alive") table.setStatus(peer, "suspect", now);
    queue.add(newsOf(peer.id, suspicion.value.accuser), { kind: "suspicion", suspicion });
  }

  #accusersOf(id: SupernodeId): readonly SupernodeId[] {
    return this.#open.get(id)?.accusers ?? [];
  }
}

function newsOf(subject: SupernodeId, accuser: SupernodeId): string {
  return `suspicion ${subject} ${accuser}`;
}
