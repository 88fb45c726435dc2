/**
 * Failure detection (SWIM, section 3.1): every period one member is pinged; without an
 * answer in time, a few others are asked to ping it; without an answer through any of
 * them by the end of the period, it is suspected.
 */
import { type GossipItem, itemBytes } from "../../protocol/gossip-item.ts";
import { type GossipMessage, MAX_ITEMS_BYTES } from "../../protocol/gossip-message.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Appointment } from "./agenda.ts";
import { type GossipContext, jittered, memberCount, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";

interface Probe {
  readonly target: Peer;
  readonly helpers: Set<SupernodeId>;
  /** Helpers that have said that they got no answer either: they are well, and so are we. */
  nacks: number;
  timeout: Appointment;
}

interface RelayedProbe {
  readonly requester: Peer;
  readonly theirNonce: number;
  readonly target: Peer;
  readonly timeout: Appointment;
}

/** Items to ride on a message of ours. */
export type PickItems = (bytes: number) => GossipItem[];

export class Prober {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  readonly #pickItems: PickItems;
  readonly #probes = new Map<number, Probe>();
  readonly #probed = new Set<SupernodeId>();
  /** If nobody else says first that they are dead. */
  readonly #toBeProbed = new Set<Peer>();
  readonly #relayed = new Map<number, RelayedProbe>();
  #nonce: number;

  constructor(context: GossipContext, roster: Roster, pickItems: PickItems) {
    this.#context = context;
    this.#roster = roster;
    this.#pickItems = pickItems;
    this.#nonce = Math.floor(context.random() * 2 ** 32);
  }

  start(): void {
    const { agenda, now, times, random } = this.#context;
    agenda.schedule(now + times.probeMs * random(), () => this.#period());
  }

  /** Out of turn, because there is a sign that something is wrong with it. */
  probeNow(peer: Peer): void {
    if (!peer.isLive || this.#probed.has(peer.id)) return;
    const { agenda, now, times, health } = this.#context;
    this.#context.metrics.probes++;
    const nonce = this.#newNonce();
    const timeout = agenda.schedule(now + times.probeTimeoutMs * health.multiplier * peer.patience(now), () =>
      this.#askOthers(nonce),
    );
    this.#probes.set(nonce, { target: peer, helpers: new Set(), nacks: 0, timeout });
    this.#probed.add(peer.id);
    this.#ping(peer, nonce);
  }

  /**
   * The TCP link to it has broken. Whoever had one notices at the same moment, and after a massacre that is
   * everybody of many: a few look at once, and the others give them the time to say what they have seen.
   */
  linkLost(peer: Peer): void {
    const { agenda, now, times, random } = this.#context;
    if (random() < GOSSIP_LIMITS.secondOpinions / memberCount(this.#context)) {
      this.probeNow(peer);
      return;
    }
    if (this.#toBeProbed.has(peer)) return;
    this.#toBeProbed.add(peer);
    agenda.schedule(now + times.probeMs * (1.5 + random()), () => {
      this.#toBeProbed.delete(peer);
      // Who has heard of it from too few by then makes sure by itself: with fewer accusers it would be waited for much longer.
      if (!this.#roster.isAmplyAccused(peer)) this.probeNow(peer);
    });
  }

  onPing(from: Peer, nonce: number): void {
    send(this.#context, from, this.#withItems("ack", nonce, from));
  }

  onAck(from: Peer, nonce: number): void {
    const { agenda, health } = this.#context;
    const relayed = this.#relayed.get(nonce);
    if (relayed?.target === from) {
      agenda.cancel(relayed.timeout);
      this.#relayed.delete(nonce);
      const message: GossipMessage = { type: "ack", nonce: relayed.theirNonce, items: [] };
      send(this.#context, relayed.requester, message);
      return;
    }
    const probe = this.#probes.get(nonce);
    // Late, or by a way that another one was faster on, or made up.
    if (!probe || (probe.target !== from && !probe.helpers.has(from.id))) return;
    this.#finish(nonce, probe);
    health.improve();
  }

  onNack(from: Peer, nonce: number): void {
    const probe = this.#probes.get(nonce);
    if (probe?.helpers.has(from.id)) probe.nacks++;
  }

  /** Somebody gets no answer from `target` and asks us to try. */
  onProbe(from: Peer, theirNonce: number, targetId: SupernodeId): void {
    const { table, agenda, now, times } = this.#context;
    const target = table.get(targetId);
    if (!target?.isLive || this.#relayed.size >= GOSSIP_LIMITS.maxRelayedProbes) return;
    const nonce = this.#newNonce();
    const timeout = agenda.schedule(now + times.probeTimeoutMs * 0.8, () => {
      this.#relayed.delete(nonce);
      send(this.#context, from, { type: "nack", nonce: theirNonce });
    });
    this.#relayed.set(nonce, { requester: from, theirNonce, target, timeout });
    this.#ping(target, nonce);
  }

  #period(): void {
    const { agenda, now, times, table, health } = this.#context;
    const periodMs = (times.probeMs * health.multiplier) / (this.#roster.isAlarmed ? GOSSIP_LIMITS.alarmFactor : 1);
    agenda.schedule(now + jittered(this.#context, periodMs), () => this.#period());
    const target = table.nextToProbe();
    if (target) this.probeNow(target);
  }

  #askOthers(nonce: number): void {
    const { agenda, now, times, table, health, metrics } = this.#context;
    const probe = this.#probes.get(nonce);
    if (!probe) return;
    metrics.missedAcks++;
    if (this.#roster.isAmplyAccused(probe.target)) {
      this.#finish(nonce, probe);
      return;
    }
    for (const helper of table.sample(GOSSIP_LIMITS.indirectProbes, probe.target.id)) {
      probe.helpers.add(helper.id);
      send(this.#context, helper, { type: "probe", nonce, target: probe.target.id });
    }
    const restMs = (times.probeMs - times.probeTimeoutMs) * health.multiplier * probe.target.patience(now);
    probe.timeout = agenda.schedule(now + restMs, () => this.#fail(nonce));
  }

  #fail(nonce: number): void {
    const probe = this.#probes.get(nonce);
    if (!probe) return;
    this.#finish(nonce, probe);
    // Not a word from any helper either: it may well be our own line.
    if (probe.nacks === 0) this.#context.health.worsen(1);
    this.#roster.accuse(probe.target);
  }

  #finish(nonce: number, probe: Probe): void {
    this.#context.agenda.cancel(probe.timeout);
    this.#probes.delete(nonce);
    this.#probed.delete(probe.target.id);
  }

  #ping(target: Peer, nonce: number): void {
    send(this.#context, target, this.#withItems("ping", nonce, target));
  }

  /** What we hold against the recipient comes first, so that it can refute it. */
  #withItems(type: "ping" | "ack", nonce: number, to: Peer): GossipMessage {
    const charge = this.#roster.chargeAgainst(to);
    const room = charge.reduce((rest, item) => rest - itemBytes(item), MAX_ITEMS_BYTES);
    return { type, nonce, items: [...charge, ...this.#pickItems(room)] };
  }

  #newNonce(): number {
    this.#nonce = (this.#nonce + 1) >>> 0;
    return this.#nonce;
  }
}
