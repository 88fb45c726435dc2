/** What a supernode keeps of its share of the directory, however it is stored. */
import type { DeviceId, InboxId, UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";

/** What the directory adds to a lease. */
export interface Sighting {
  /** ms since 1970, within the lease's validity. */
  readonly lastSeenAt: number;
  /** The home has said that this session is over, or the device has signed out. */
  readonly gone: boolean;
}

export interface DirectoryRecord extends Sighting {
  /** As the device signed it. */
  readonly lease: Uint8Array;
}

export type PutOutcome =
  /** New, or newer than what was here. */
  | "stored"
  /** This very lease is here already; its sighting was left alone, since only the home may change it. */
  | "known"
  /** A newer lease of the device is here. */
  | "outdated"
  /** Its validity and its 72 hours are over. */
  | "expired"
  /** The account has as many devices as it may, all of them more recent. */
  | "too-many-devices";

/** A lease was signed and checked before it comes here (trustLease). Times are ms since 1970. */
export interface RecordStore {
  /** @param sighting null: as the lease itself says, seen when it was issued */
  put(lease: Signed<Lease>, sighting: Sighting | null, now: number): PutOutcome;
  /** The user's records that have not expired, at most one a device. */
  find(userId: UserId, now: number): DirectoryRecord[];
  /** True if this session of the device was here and not yet gone. */
  markGone(userId: UserId, deviceId: DeviceId, inbox: InboxId, lastSeenAt: number): boolean;
  readonly size: number;
}

/** When a record is forgotten: 72 hours after the end of the session, or of the lease that nobody refreshed. */
export function forgottenAt(lease: Pick<Lease, "issuedAt" | "validityMs">, sighting: Sighting): number {
  const seenUntil = sighting.gone ? sighting.lastSeenAt : lease.issuedAt + lease.validityMs;
  return seenUntil + TIMES.leaseMemoryMs;
}

/** A sighting from outside, held to what is possible: nobody was seen before or after the lease's own time. */
export function plausibleSighting(
  lease: Pick<Lease, "issuedAt" | "validityMs">,
  sighting: Sighting | null,
  now: number,
): Sighting {
  const latest = Math.max(lease.issuedAt, Math.min(lease.issuedAt + lease.validityMs, now));
  const lastSeenAt = Math.min(Math.max(sighting?.lastSeenAt ?? lease.issuedAt, lease.issuedAt), latest);
  return { lastSeenAt, gone: lease.validityMs === 0 || (sighting?.gone ?? false) };
}
