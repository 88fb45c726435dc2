/** A record as another supernode tells it, checked as far as it can be: its lease speaks for itself. */
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import { trustLease } from "../../protocol/lease.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import { type LeaseRecord, ownCopy } from "../records/record-store.ts";

export interface ToldRecord {
  readonly lease: Uint8Array;
  readonly gone: boolean;
  /** ms since 1970 */
  readonly lastSeenAt: number;
}

/** @throws KithError `signature-invalid` if it is of another user, and as trustLease */
export function trustRecord(anchor: TrustAnchor, userId: UserId, told: ToldRecord): LeaseRecord {
  const now = anchor.now();
  const lease = ownCopy(trustLease(anchor.networkId, now, told.lease));
  if (lease.value.userId !== userId) throw new KithError("signature-invalid", { what: "lease" });
  const { issuedAt, validityMs } = lease.value;
  return {
    lease,
    gone: told.gone || validityMs === 0,
    lastSeenAt: Math.min(now, Math.max(issuedAt, told.lastSeenAt)),
  };
}
