/**
 * A lease: one device's entry in the directory, signed by its account. It carries the
 * account's signing key, and the user ID is that key's hash, so that anybody can check
 * it without asking anyone.
 */
import { ByteWriter, fromHex } from "./bytes.ts";
import { KithError } from "./errors.ts";
import {
  DEVICE_ID_BYTES,
  type DeviceId,
  INBOX_BYTES,
  type InboxId,
  NETWORK_ID_BYTES,
  type NetworkId,
  SIGN_KEY_BYTES,
  SIGNATURE_BYTES,
  SUPERNODE_ID_BYTES,
  type SupernodeId,
  USER_ID_BYTES,
  type UserId,
} from "./identifiers.ts";
import { LIMITS, TIMES } from "./limits.ts";
import { nodeSignatures, userIdOf } from "./node-crypto.ts";
import { readDeviceId, readInboxId, readNetworkId, readSupernodeId, readUserId } from "./raw-identifiers.ts";
import { decodeSigned, requireSignature, type Signed } from "./signed.ts";

const LEASE = 4;
const FORMAT_VERSION = 1;
const FIXED_BYTES =
  2 +
  NETWORK_ID_BYTES +
  USER_ID_BYTES +
  SIGN_KEY_BYTES +
  DEVICE_ID_BYTES +
  SUPERNODE_ID_BYTES +
  INBOX_BYTES +
  8 +
  8 +
  4 +
  2;
export const MAX_LEASE_BYTES = FIXED_BYTES + LIMITS.maxSealedBodyBytes + SIGNATURE_BYTES;

export interface Lease {
  readonly networkId: NetworkId;
  readonly userId: UserId;
  readonly signKey: Uint8Array;
  readonly deviceId: DeviceId;
  readonly home: SupernodeId;
  /** Where `home` takes envelopes for this device. */
  readonly inbox: InboxId;
  /** Of two leases of one device the higher sequence holds. Grows with time, over restarts too. */
  readonly sequence: number;
  readonly issuedAt: number;
  /** 0 signs the device out. */
  readonly validityMs: number;
  /** Only buddies can open it (capabilities). May be empty. */
  readonly sealedBody: Uint8Array;
}

export function encodeLease(lease: Lease): Uint8Array {
  return new ByteWriter()
    .u8(LEASE)
    .u8(FORMAT_VERSION)
    .fixed(fromHex(lease.networkId), NETWORK_ID_BYTES)
    .fixed(fromHex(lease.userId), USER_ID_BYTES)
    .fixed(lease.signKey, SIGN_KEY_BYTES)
    .fixed(fromHex(lease.deviceId), DEVICE_ID_BYTES)
    .fixed(fromHex(lease.home), SUPERNODE_ID_BYTES)
    .fixed(fromHex(lease.inbox), INBOX_BYTES)
    .u64(lease.sequence)
    .u64(lease.issuedAt)
    .u32(lease.validityMs)
    .bytes16(lease.sealedBody)
    .finish();
}

/** @throws KithError `malformed`, `too-large` */
export function decodeLease(bytes: Uint8Array): Signed<Lease> {
  return decodeSigned(bytes, "lease", MAX_LEASE_BYTES, (reader) => {
    if (reader.u8() !== LEASE) throw reader.refuse("another kind of structure");
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const lease = {
      networkId: readNetworkId(reader),
      userId: readUserId(reader),
      signKey: reader.fixed(SIGN_KEY_BYTES),
      deviceId: readDeviceId(reader),
      home: readSupernodeId(reader),
      inbox: readInboxId(reader),
      sequence: reader.u64(),
      issuedAt: reader.u64(),
      validityMs: reader.u32(),
      sealedBody: reader.bytes16(LIMITS.maxSealedBodyBytes),
    };
    if (lease.validityMs > TIMES.leaseValidityMs) throw reader.refuse("a validity beyond the longest");
    return lease;
  });
}

/**
 * A lease that its own account signed, of this network and not from the future.
 * @throws KithError `malformed`, `too-large`, `signature-invalid`, `clock-skew`
 */
export function trustLease(networkId: NetworkId, now: number, bytes: Uint8Array): Signed<Lease> {
  const lease = decodeLease(bytes);
  if (lease.value.networkId !== networkId || userIdOf(lease.value.signKey) !== lease.value.userId) {
    throw new KithError("signature-invalid", { what: "lease" });
  }
  if (lease.value.issuedAt > now + TIMES.maxClockSkewMs) {
    throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
  }
  requireSignature(nodeSignatures, "lease", lease, lease.value.signKey);
  return lease;
}

/** Whether the device is still said to be at its home. */
export function isLeaseValid(lease: Pick<Lease, "issuedAt" | "validityMs">, now: number): boolean {
  return now < lease.issuedAt + lease.validityMs;
}
