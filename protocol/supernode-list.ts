/** The supernode list: every certified supernode of a network, signed by the network key. */
import { ByteWriter, fromHex } from "./bytes.ts";
import { decodeSupernodeCertificate, type SupernodeCertificate } from "./certificate.ts";
import { NETWORK_ID_BYTES, type NetworkId } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { readNetworkId } from "./raw-identifiers.ts";
import { decodeSigned, type Signed } from "./signed.ts";

const SUPERNODE_LIST = 3;
const FORMAT_VERSION = 1;
const MAX_LIST_BYTES = 64 + LIMITS.maxSupernodes * (LIMITS.maxCertificateBytes + 2) + 64;

export interface SupernodeList {
  readonly networkId: NetworkId;
  /** Grows with every change; a lower one never replaces a higher one. */
  readonly revision: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly supernodes: readonly Signed<SupernodeCertificate>[];
}

/** Encoding takes the entries' bytes as they are. */
export type SupernodeListDraft = Omit<SupernodeList, "supernodes"> & {
  readonly supernodes: readonly Pick<Signed<SupernodeCertificate>, "bytes">[];
};

export function encodeSupernodeList(list: SupernodeListDraft): Uint8Array {
  const writer = new ByteWriter()
    .u8(SUPERNODE_LIST)
    .u8(FORMAT_VERSION)
    .fixed(fromHex(list.networkId), NETWORK_ID_BYTES)
    .u64(list.revision)
    .u64(list.issuedAt)
    .u64(list.expiresAt)
    .u16(list.supernodes.length);
  for (const supernode of list.supernodes) writer.bytes16(supernode.bytes);
  return writer.finish();
}

/**
 * Entries carry signatures of their own, which whoever uses an entry checks (trust.ts).
 * @throws KithError `malformed`, `too-large`
 */
export function decodeSupernodeList(bytes: Uint8Array): Signed<SupernodeList> {
  return decodeSigned(bytes, "supernode list", MAX_LIST_BYTES, (reader) => {
    if (reader.u8() !== SUPERNODE_LIST) throw reader.refuse("another kind of structure");
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const networkId = readNetworkId(reader);
    const revision = reader.u64();
    const issuedAt = reader.u64();
    const expiresAt = reader.u64();
    const count = reader.u16();
    if (count > LIMITS.maxSupernodes) throw reader.refuse("too many supernodes");
    const supernodes: Signed<SupernodeCertificate>[] = [];
    for (let index = 0; index < count; index++) {
      supernodes.push(decodeSupernodeCertificate(reader.bytes16(LIMITS.maxCertificateBytes)));
    }
    return { networkId, revision, issuedAt, expiresAt, supernodes };
  });
}
