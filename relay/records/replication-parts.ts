/** What both halves of replication stand on: given to them, so that they run over sockets and in a simulation alike. */
import type { DeviceId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import type { ReplicationMessage } from "../../protocol/replication-message.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { RecordView, WalkCursor } from "./packed-records.ts";
import type { PlacementTable } from "./placement-table.ts";
import type { LeaseRecord, PutResult } from "./record-store.ts";
import type { Sighting } from "./sighting.ts";

/** The part of a packed or durable record store that replication needs. */
export interface ReplicatedStore {
  readonly size: number;
  record(userId: UserId, deviceId: DeviceId, now: number): LeaseRecord | null;
  sequenceOf(userId: UserId, deviceId: DeviceId): number | null;
  adopt(lease: Signed<Lease>, claim: Sighting, now: number): PutResult;
  drop(userId: UserId, deviceId: DeviceId): boolean;
  walk(cursor: WalkCursor, max: number, now: number, visit: (view: RecordView) => void): WalkCursor | null;
}

export interface ReplicationParts {
  readonly self: SupernodeId;
  readonly store: ReplicatedStore;
  /** All members now, this supernode included. */
  readonly members: { has(id: SupernodeId): boolean; placement(): PlacementTable };
  /** Holders of each record. */
  readonly replicas: number;
  readonly limits: ReplicationLimits;
  readonly metrics: ReplicationMetrics;
  readonly random: () => number;
  /** May lose it. */
  readonly send: (to: SupernodeId, message: ReplicationMessage) => void;
  /** A lease from another supernode. @throws KithError unless its account signed it, for this network, not ahead of time */
  readonly trustLease: (lease: Uint8Array, now: number) => Signed<Lease>;
}

export const REPLICATION_LIMITS = {
  /** Sent in all, so that repairing never takes the line from calls. */
  bytesPerSecond: 1_000_000,
  /** Weights computed in one tick: 15 ms of a core. */
  weightsPerTick: 1_500_000,
  /** Changes of membership are waited for this long, so that many are repaired in one pass. */
  settleMs: 500,
  /** Every record is offered to one of its other holders once in this time, whatever changed or did not. */
  auditMs: 6 * 3_600_000,
  /** What is not ours to hold any more is given up only when the members have not changed for this long. */
  orphanGraceMs: 5 * 60_000,
  /** The second survivor offers this much later than the first: what has arrived by then is not sent again. */
  secondOfferMs: 2_000,
  /** An offer without an answer is made again after this, then after twice as long each time. */
  offerRepeatMs: 1_500,
  /** Offers that we remember having made: an answer after that is not served. */
  offerLifeMs: 30_000,
  /** Records that we have asked for; after this we ask another who has offered them. */
  pendingMs: 5_000,
  /** With nobody left to ask, a record that comes so late is still welcome. */
  overdueMs: 120_000,
  /** Records that we wait for at once. */
  maxPending: 100_000,
  /** Because of offers by one supernode: one that never sends what it offers must not keep others from it. */
  maxPendingOfOne: 20_000,
  /** Records offered by one supernode: a burst, and a rate. */
  offeredBurst: 200_000,
  offeredPerSecond: 5_000,
  /**
   * Records taken from one supernode: a burst, a rate, and beyond these so many times as many as from the others on
   * average, since honest ones all have about the same to give. So one that makes up users cannot fill our memory.
   */
  adoptedBurst: 50_000,
  adoptedPerSecond: 5,
  adoptedShare: 4,
} as const;

export type ReplicationLimits = { readonly [K in keyof typeof REPLICATION_LIMITS]: number };

/** For the operator. Lies are counted by kind. */
export class ReplicationMetrics {
  passes = 0;
  offered = 0;
  sent = 0;
  sentBytes = 0;
  adopted = 0;
  dropped = 0;
  /** Wanted records that came from the second who had offered them, since the first did not send. */
  secondSource = 0;
  readonly refused = {
    /** A lease that its account has not signed, or of another network. */
    forged: 0,
    /** A lease whose time has not come yet. */
    "from-the-future": 0,
    /** Older than what was offered or is here, or beyond its 72 hours. */
    stale: 0,
    /** No message of replication, or a lease that is too large. */
    malformed: 0,
    /** Not ours to hold. */
    misplaced: 0,
    unsolicited: 0,
    flooded: 0,
    "not-a-member": 0,
  };
}
