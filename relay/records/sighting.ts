/** What the directory knows of a lease beyond what its device signed. */
import type { Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";

export interface Sighting {
  /** ms since 1970: when the device was last known to be there. */
  readonly lastSeenAt: number;
  /** Its home has said that the session is over, or the device has signed out. */
  readonly gone: boolean;
}

type Times = Pick<Lease, "issuedAt" | "validityMs">;

/** As the lease itself says. */
export function firstSighting(lease: Times): Sighting {
  return { lastSeenAt: lease.issuedAt, gone: lease.validityMs === 0 };
}

/**
 * A claim from outside, held to what can be: nobody is seen before their lease, after its
 * end, or in the future. So no claim keeps a record longer than its lease and 72 hours.
 */
export function plausibleSighting(lease: Times, claim: Sighting, now: number): Sighting {
  const latest = Math.min(now, lease.issuedAt + lease.validityMs);
  return {
    lastSeenAt: Math.max(lease.issuedAt, Math.min(claim.lastSeenAt, latest)),
    gone: claim.gone || lease.validityMs === 0,
  };
}

/** When the record is forgotten, ms since 1970: 72 hours after the device was, or may have been, there last. */
export function forgottenAt(lease: Times, sighting: Sighting): number {
  return (sighting.gone ? sighting.lastSeenAt : lease.issuedAt + lease.validityMs) + TIMES.leaseMemoryMs;
}
