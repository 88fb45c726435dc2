/** Where a supernode keeps its shard of the directory: the leases that are its to hold. */
import type { DeviceId, InboxId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { isLeaseValid, type Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";

/** One device's lease and what its home has said since. */
export interface LeaseRecord {
  readonly lease: Signed<Lease>;
  /** The home has said that the device's socket closed, or the device has signed out. */
  readonly gone: boolean;
  /** ms since 1970: when the device was last known to be there. */
  readonly lastSeenAt: number;
}

/** As much of a record as presence needs. */
export interface SeenRecord extends Pick<LeaseRecord, "gone" | "lastSeenAt"> {
  readonly lease: {
    readonly value: Pick<Lease, "deviceId" | "home" | "inbox" | "sequence" | "issuedAt" | "validityMs">;
    readonly bytes: Uint8Array;
  };
}

/**
 * What became of a lease: `stored`; `known` (the very same sequence is there: nothing
 * changed); `stale` (a newer one is there, or its 72 hours are over).
 */
export type PutResult = "stored" | "known" | "stale";

export interface GoneNotice {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  /** Of the attachment that ended: a notice about an older one must not touch the present lease. */
  readonly inbox: InboxId;
  /** Who says so; only the lease's own home is believed. */
  readonly home: SupernodeId;
  readonly lastSeenAt: number;
}

/** All leases passed in were trusted before (lease.ts, trustLease). */
export interface RecordStore {
  put(lease: Signed<Lease>, now: number): PutResult;
  /** Whether a record changed. */
  markGone(notice: GoneNotice, now: number): boolean;
  /** The records of all devices of a user that are still remembered. */
  find(userId: UserId, now: number): LeaseRecord[];
  /** Forgets what has outlived its 72 hours. Returns how many records that were. */
  expire(now: number): number;
  /** Every user with a record: to look into a store. What serves goes through it in steps (walk). */
  userIds(): Iterable<UserId>;
  /** Records, not users. */
  readonly size: number;
  close(): void;
}

/** When a record is forgotten: 72 hours after the device was, or may have been, there last. */
export function forgetAt(record: SeenRecord): number {
  const { issuedAt, validityMs } = record.lease.value;
  return (record.gone ? record.lastSeenAt : issuedAt + validityMs) + TIMES.leaseMemoryMs;
}

/** Whether the record says that its device is attached, as far as a holder can know. */
export function isSaidToBeThere(record: SeenRecord, now: number): boolean {
  return !record.gone && isLeaseValid(record.lease.value, now);
}

/** For keeping: what was received is a view of a network buffer many times its size. */
export function ownCopy(lease: Signed<Lease>): Signed<Lease> {
  const bytes = Uint8Array.from(lease.bytes);
  const bodyLength = lease.body.length;
  return { value: lease.value, bytes, body: bytes.subarray(0, bodyLength), signature: bytes.subarray(bodyLength) };
}
