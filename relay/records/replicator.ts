/** Replication of the records over the links between supernodes, driven by a timer. */
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { trustLease } from "../../protocol/lease.ts";
import { LEASE_REPLICAS } from "../../protocol/limits.ts";
import {
  decodeReplicationMessage,
  encodeReplicationMessage,
  type ReplicationMessage,
} from "../../protocol/replication-message.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { LinkPeer } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import { SteadyClock } from "../steady-clock.ts";
import { Replication } from "./replication.ts";
import { REPLICATION_LIMITS, type ReplicatedStore, ReplicationMetrics } from "./replication-parts.ts";

const TICK_MS = 100;
/** After a change, records may still be on their way to who is to hold them for about this long. */
const UNSETTLED_MS = 15_000;

export interface ReplicatorParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly records: ReplicatedStore;
  readonly random: () => number;
}

export class Replicator {
  readonly metrics = new ReplicationMetrics();
  readonly #parts: ReplicatorParts;
  readonly #replication: Replication;
  /** Supernodes that have a link to us which they replicate over: our answers go the same way. */
  readonly #joined = new Map<SupernodeId, LinkPeer>();
  readonly #clock: SteadyClock;
  readonly #timer: NodeJS.Timeout;
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ReplicatorParts) {
    const { self, anchor, membership, peers, records, random } = parts;
    this.#parts = parts;
    this.#clock = new SteadyClock(anchor.now);
    this.#replication = new Replication(
      {
        self,
        store: records,
        members: { has: (id) => membership.members().has(id), placement: () => membership.placement() },
        replicas: LEASE_REPLICAS,
        limits: REPLICATION_LIMITS,
        metrics: this.metrics,
        random,
        trustLease: (lease) => trustLease(anchor.networkId, anchor.now(), lease),
        send: (to, message) => this.#send(to, message),
      },
      this.#clock.now(),
    );
    membership.onChange(({ kind }) => {
      if (kind === "renewed") return;
      this.#changedAt = this.#clock.now();
      this.#replication.membersChanged(this.#changedAt);
    });
    peers.listen({
      pushed: (from, push) => {
        if (push.name === "replicated") this.#hear(from, push.value.message);
      },
      lost: () => undefined,
    });
    this.#timer = setInterval(() => this.#replication.tick(this.#clock.now()), TICK_MS);
  }

  /** Whether a holder may not have been handed a record yet that is its to hold. */
  get isUnsettled(): boolean {
    return this.#replication.isRepairing || this.#clock.now() - this.#changedAt < UNSETTLED_MS;
  }

  /** @throws KithError `malformed`, `too-large` */
  receive(peer: LinkPeer, message: Uint8Array): void {
    this.#joined.set(peer.supernodeId, peer);
    const refusal = this.#hear(peer.supernodeId, message);
    if (refusal) throw refusal;
  }

  linkClosed(peer: LinkPeer): void {
    if (this.#joined.get(peer.supernodeId) === peer) this.#joined.delete(peer.supernodeId);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #hear(from: SupernodeId, bytes: Uint8Array): KithError | null {
    try {
      this.#replication.receive(from, decodeReplicationMessage(bytes), this.#clock.now());
      return null;
    } catch (error) {
      if (!(error instanceof KithError)) throw error;
      this.metrics.refused.malformed++;
      return error;
    }
  }

  /** What is lost is offered, or asked for, again. */
  #send(to: SupernodeId, message: ReplicationMessage): void {
    const bytes = encodeReplicationMessage(message);
    const joined = this.#joined.get(to);
    if (joined) joined.push({ name: "replicated", value: { message: bytes } });
    else this.#parts.peers.call(to, "replicate", { message: bytes }).catch(() => undefined);
  }
}
