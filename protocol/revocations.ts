/**
 * The revocation list: certificates that are not to be believed although they have not
 * expired. Short, because whatever expires leaves it; signed, so that supernodes carry it.
 */
import { ByteWriter, fromHex } from "./bytes.ts";
import { KithError } from "./errors.ts";
import { NETWORK_ID_BYTES, type NetworkId } from "./identifiers.ts";
import { issuerAt } from "./network-key-chain.ts";
import { nodeSignatures } from "./node-crypto.ts";
import { readNetworkId } from "./raw-identifiers.ts";
import { decodeSigned, requireSignature, type Signed } from "./signed.ts";
import type { TrustAnchor } from "./trust.ts";

const FORMAT_VERSION = 1;
/** Serials of one list; eight bytes each at the most, so that the list fits a frame. */
export const MAX_REVOCATIONS = 10_000;
export const MAX_REVOCATION_LIST_BYTES = 64 + 1 + NETWORK_ID_BYTES + 8 + 8 + 4 + 8 * MAX_REVOCATIONS;

export interface RevocationList {
  readonly networkId: NetworkId;
  /** Grows with every change. */
  readonly revision: number;
  /** ms since 1970 */
  readonly issuedAt: number;
  /** Of certificates, ascending. */
  readonly serials: readonly number[];
}

export function encodeRevocationList(list: RevocationList): Uint8Array {
  const writer = new ByteWriter()
    .u8(FORMAT_VERSION)
    .fixed(fromHex(list.networkId), NETWORK_ID_BYTES)
    .u64(list.revision)
    .u64(list.issuedAt)
    .u32(list.serials.length);
  for (const serial of list.serials) writer.u64(serial);
  return writer.finish();
}

/** @throws KithError `malformed`, `too-large` */
export function decodeRevocationList(bytes: Uint8Array): Signed<RevocationList> {
  return decodeSigned(bytes, "revocation list", MAX_REVOCATION_LIST_BYTES, (reader) => {
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const networkId = readNetworkId(reader);
    const revision = reader.u64();
    const issuedAt = reader.u64();
    const count = reader.u32();
    if (count > MAX_REVOCATIONS) throw reader.refuse("more serials than a list may have");
    const serials: number[] = [];
    for (let index = 0; index < count; index++) {
      const serial = reader.u64();
      if (index > 0 && serial <= (serials[index - 1] as number)) throw reader.refuse("serials out of order");
      serials.push(serial);
    }
    return { networkId, revision, issuedAt, serials };
  });
}

/** @throws KithError `malformed`, `too-large`, `signature-invalid`, `certificate-expired` where its key is over */
export function trustRevocationList(anchor: TrustAnchor, bytes: Uint8Array): Signed<RevocationList> {
  const list = decodeRevocationList(bytes);
  if (list.value.networkId !== anchor.networkId) throw new KithError("malformed", { what: "revocation list" });
  const issuer = issuerAt(anchor.keys, list.value.issuedAt, anchor.now());
  requireSignature(nodeSignatures, "revocationList", list, issuer);
  return list;
}
