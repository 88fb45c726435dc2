/** People of a simulated network: some are attached to a home supernode, the others were seen in the last hours. */
import { toHex } from "../../protocol/bytes.ts";
import { DeviceId, InboxId, NetworkId, type SupernodeId, type UserId } from "../../protocol/identifiers.ts";
import { encodeLease, type Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { PackedLease } from "../../relay/records/packed-lease.ts";

const NETWORK = NetworkId.parse("51".repeat(20));
/** As clients seal: nonce, tag and a few bytes. */
const SEALED_BODY = new Uint8Array(48);
const SIGN_KEY = new Uint8Array(32);
/** Leases of the simulation are not signed; nobody in it forges one. */
const SIGNATURE = new Uint8Array(64);

export class SimUser {
  readonly userId: UserId;
  readonly deviceId = DeviceId.parse("01".repeat(16));
  /** Null for somebody who is away. */
  home: SupernodeId | null;
  lease: Signed<Lease>;

  constructor(random: () => number, home: SupernodeId, isAway: boolean, now: number) {
    this.userId = toHex(Uint8Array.from({ length: 20 }, () => Math.floor(random() * 256))) as UserId;
    this.home = isAway ? null : home;
    this.lease = this.sign(home, now);
  }

  /** A new lease, for a home that may be new as well. */
  sign(home: SupernodeId, now: number): Signed<Lease> {
    const body = encodeLease({
      networkId: NETWORK,
      userId: this.userId,
      signKey: SIGN_KEY,
      deviceId: this.deviceId,
      home,
      inbox: InboxId.parse("00".repeat(16)),
      sequence: Math.floor(now),
      issuedAt: Math.floor(now),
      validityMs: TIMES.leaseValidityMs,
      sealedBody: SEALED_BODY,
    });
    const bytes = Buffer.concat([body, SIGNATURE]);
    this.lease = new PackedLease(bytes);
    return this.lease;
  }
}
