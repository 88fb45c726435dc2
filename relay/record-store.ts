/** Where a supernode keeps its shard of the directory: the leases that are its to hold. */
import type { DeviceId, InboxId, SupernodeId, UserId } from "../protocol/identifiers.ts";
import { isLeaseValid, type Lease } from "../protocol/lease.ts";
import { LIMITS, TIMES } from "../protocol/limits.ts";
import type { Signed } from "../protocol/signed.ts";

/** One device's lease and what its home has said since. */
export interface LeaseRecord {
  readonly lease: Signed<Lease>;
  /** The home has said that the device's socket closed, or the device has signed out. */
  readonly gone: boolean;
  /** ms since 1970: when the device was last known to be there. */
  readonly lastSeenAt: number;
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
  /** Every user with a record: for handing shares over. */
  userIds(): Iterable<UserId>;
  /** Records, not users. */
  readonly size: number;
  close(): void;
}

/** When a record is forgotten: 72 hours after the device was, or may have been, there last. */
export function forgetAt(record: LeaseRecord): number {
  const { issuedAt, validityMs } = record.lease.value;
  return (record.gone ? record.lastSeenAt : issuedAt + validityMs) + TIMES.leaseMemoryMs;
}

/** A store in plain memory. */
export class MapRecordStore implements RecordStore {
  readonly #users = new Map<UserId, Map<DeviceId, LeaseRecord>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  put(received: Signed<Lease>, now: number): PutResult {
    const lease = ownCopy(received);
    const { userId, deviceId, sequence, issuedAt, validityMs } = lease.value;
    const record = { lease, gone: validityMs === 0, lastSeenAt: issuedAt };
    if (forgetAt(record) <= now) return "stale";
    const devices = this.#users.get(userId) ?? new Map<DeviceId, LeaseRecord>();
    const present = devices.get(deviceId)?.lease.value.sequence ?? -1;
    if (sequence <= present) return sequence === present ? "known" : "stale";
    if (!devices.has(deviceId)) {
      if (devices.size >= LIMITS.maxDevicesPerAccount) this.#forget(userId, devices, leastRecent(devices));
      this.#size++;
    }
    devices.set(deviceId, record);
    this.#users.set(userId, devices);
    return "stored";
  }

  markGone(notice: GoneNotice, now: number): boolean {
    const devices = this.#users.get(notice.userId);
    const record = devices?.get(notice.deviceId);
    if (!devices || !record || record.gone) return false;
    const { inbox, home, issuedAt } = record.lease.value;
    if (inbox !== notice.inbox || home !== notice.home) return false;
    const lastSeenAt = Math.min(now, Math.max(issuedAt, notice.lastSeenAt));
    devices.set(notice.deviceId, { ...record, gone: true, lastSeenAt });
    return true;
  }

  find(userId: UserId, now: number): LeaseRecord[] {
    return [...(this.#users.get(userId)?.values() ?? [])].filter((record) => forgetAt(record) > now);
  }

  expire(now: number): number {
    const before = this.#size;
    for (const [userId, devices] of this.#users) {
      for (const [deviceId, record] of devices) {
        if (forgetAt(record) <= now) this.#forget(userId, devices, deviceId);
      }
    }
    return before - this.#size;
  }

  userIds(): Iterable<UserId> {
    return this.#users.keys();
  }

  close(): void {
    this.#users.clear();
    this.#size = 0;
  }

  #forget(userId: UserId, devices: Map<DeviceId, LeaseRecord>, deviceId: DeviceId): void {
    if (devices.delete(deviceId)) this.#size--;
    if (devices.size === 0) this.#users.delete(userId);
  }
}

/** Whether the record says that its device is attached, as far as a holder can know. */
export function isSaidToBeThere(record: LeaseRecord, now: number): boolean {
  return !record.gone && isLeaseValid(record.lease.value, now);
}

/** For keeping: what was received is a view of a network buffer many times its size. */
export function ownCopy(lease: Signed<Lease>): Signed<Lease> {
  const bytes = Uint8Array.from(lease.bytes);
  const bodyLength = lease.body.length;
  return { value: lease.value, bytes, body: bytes.subarray(0, bodyLength), signature: bytes.subarray(bodyLength) };
}

/** An account that makes up devices without end only ever pushes out its own. */
function leastRecent(devices: ReadonlyMap<DeviceId, LeaseRecord>): DeviceId {
  const oldestFirst = [...devices.values()].sort((a, b) => a.lastSeenAt - b.lastSeenAt);
  return (oldestFirst[0] as LeaseRecord).lease.value.deviceId;
}
