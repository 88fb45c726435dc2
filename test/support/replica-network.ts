/** Record holders under a virtual clock that run the real replication between real packed stores. */
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { trustLease } from "../../protocol/lease.ts";
import { holdersOf } from "../../protocol/placement.ts";
import {
  decodeReplicationMessage,
  encodeReplicationMessage,
  type ReplicationMessage,
} from "../../protocol/replication-message.ts";
import { PackedRecords } from "../../relay/records/packed-records.ts";
import { PlacementTable } from "../../relay/records/placement-table.ts";
import { Replication } from "../../relay/records/replication.ts";
import {
  REPLICATION_LIMITS,
  type ReplicationLimits,
  ReplicationMetrics,
} from "../../relay/records/replication-parts.ts";
import { seededRandom, VirtualTime } from "../sim/virtual-time.ts";
import { LEASE_NETWORK, supernodeNumber } from "./made-leases.ts";

const TICK_MS = 100;
const LATENCY_MS = 30;

/** What a dishonest holder makes of a message that it is about to send; null drops it. */
export type Tamper = (message: ReplicationMessage) => ReplicationMessage | null;

export class Holder {
  readonly id: SupernodeId;
  readonly store = new PackedRecords([1, 2], { segmentBits: 2 });
  readonly metrics = new ReplicationMetrics();
  readonly replication: Replication;
  isUp = true;
  sentBytes = 0;
  tamper: Tamper = (message) => message;

  /** As this one knows it. */
  members: ReadonlySet<SupernodeId>;
  #table: { readonly of: ReadonlySet<SupernodeId>; readonly table: PlacementTable };

  constructor(network: ReplicaNetwork, id: SupernodeId, members: Iterable<SupernodeId>) {
    this.id = id;
    this.members = new Set(members);
    this.#table = { of: this.members, table: new PlacementTable(this.members) };
    this.replication = new Replication(
      {
        self: id,
        store: this.store,
        replicas: network.replicas,
        limits: network.limits,
        metrics: this.metrics,
        random: network.random,
        trustLease: (lease, now) => trustLease(LEASE_NETWORK, now, lease),
        send: (to, message) => network.carry(this, to, message),
        members: { has: (member) => this.members.has(member), placement: () => this.#placement() },
      },
      network.time.now,
    );
  }

  #placement(): PlacementTable {
    if (this.#table.of !== this.members) this.#table = { of: this.members, table: new PlacementTable(this.members) };
    return this.#table.table;
  }
}

export class ReplicaNetwork {
  readonly time: VirtualTime;
  readonly random = seededRandom(17);
  readonly replicas: number;
  readonly limits: ReplicationLimits;
  readonly holders: Holder[] = [];
  #made = 0;

  constructor(now: number, size: number, replicas = 8, limits: Partial<ReplicationLimits> = {}) {
    this.time = new VirtualTime(now);
    this.replicas = replicas;
    this.limits = { ...REPLICATION_LIMITS, ...limits };
    const ids = Array.from({ length: size }, () => supernodeNumber(this.#made++));
    for (const id of ids) this.#start(id, ids);
  }

  get up(): Holder[] {
    return this.holders.filter(({ isUp }) => isUp);
  }

  get members(): SupernodeId[] {
    return this.up.map(({ id }) => id);
  }

  /** Everybody learns of the change at the same moment. */
  change({ kill = [], join = 0 }: { kill?: readonly Holder[]; join?: number }): Holder[] {
    for (const holder of kill) holder.isUp = false;
    const newcomers = Array.from({ length: join }, () => supernodeNumber(this.#made++));
    const members = [...this.members, ...newcomers];
    for (const holder of this.up) {
      holder.members = new Set(members);
      holder.replication.membersChanged(this.time.now);
    }
    return newcomers.map((id) => this.#start(id, members));
  }

  /** With an empty store, and noticed by everybody at the same moment. */
  restart({ id }: Holder): void {
    const members = [...this.members, id];
    for (const holder of this.up) {
      holder.members = new Set(members);
      holder.replication.membersChanged(this.time.now);
    }
    this.#start(id, members);
  }

  holdersOf(userId: UserId): Holder[] {
    const ids = holdersOf(userId, this.members, this.replicas);
    return ids.map((id) => this.holders.find((holder) => holder.id === id) as Holder);
  }

  /** How many of those who should hold a user's records do not. */
  missing(userId: UserId): number {
    return this.holdersOf(userId).filter(({ store }) => store.find(userId, this.time.now).length === 0).length;
  }

  carry(from: Holder, to: SupernodeId, message: ReplicationMessage): void {
    const said = from.tamper(message);
    if (!said || !from.isUp) return;
    const bytes = encodeReplicationMessage(said);
    from.sentBytes += bytes.length;
    this.time.after(LATENCY_MS, () => {
      const target = this.holders.find(({ id }) => id === to);
      if (target?.isUp) target.replication.receive(from.id, decodeReplicationMessage(bytes), this.time.now);
    });
  }

  #start(id: SupernodeId, members: Iterable<SupernodeId>): Holder {
    const holder = new Holder(this, id, members);
    this.holders.push(holder);
    const tick = () => {
      if (!holder.isUp) return;
      holder.replication.tick(this.time.now);
      this.time.after(TICK_MS, tick);
    };
    this.time.after(this.random() * TICK_MS, tick);
    return holder;
  }
}
