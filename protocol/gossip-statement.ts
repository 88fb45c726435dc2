/**
 * What supernodes state about themselves and each other, each signed by who says it, so
 * that it may be passed on by anyone. There is no statement that a supernode is dead:
 * there are only suspicions, which their subject can refute, and what each makes of them.
 */
import { type ByteReader, ByteWriter, fromHex } from "./bytes.ts";
import { SIGNATURE_BYTES, SUPERNODE_ID_BYTES, type SupernodeId } from "./identifiers.ts";
import { readSupernodeId } from "./raw-identifiers.ts";
import { decodeSigned, type Signed } from "./signed.ts";

export const GOSSIP_KEY_BYTES = 32;

/** "I am here." Signed by its subject. */
export interface Announcement {
  readonly supernodeId: SupernodeId;
  /** ms since 1970 when it was made, or one more than the one before: of two announcements the higher one holds. */
  readonly incarnation: number;
  /** X25519, new at every start: what packets to and from this supernode are authenticated with. */
  readonly gossipKey: Uint8Array;
  /** Of the certificate that it holds now. */
  readonly certificateSerial: number;
  /** "I am going." */
  readonly leaving: boolean;
}

/** "I have had no answer from it." Signed by the accuser. */
export interface Suspicion {
  readonly subject: SupernodeId;
  /** Of the announcement that the accuser knows; a higher one refutes the suspicion. */
  readonly incarnation: number;
  readonly accuser: SupernodeId;
}

/** "I have reached it by UDP and TCP, where its certificate says." Signed by who has; good for that certificate. */
export interface Voucher {
  readonly subject: SupernodeId;
  readonly certificateSerial: number;
  readonly voucher: SupernodeId;
}

export const ANNOUNCEMENT_BYTES = SUPERNODE_ID_BYTES + 8 + GOSSIP_KEY_BYTES + 8 + 1 + SIGNATURE_BYTES;
export const SUSPICION_BYTES = SUPERNODE_ID_BYTES + 8 + SUPERNODE_ID_BYTES + SIGNATURE_BYTES;
export const VOUCHER_BYTES = SUPERNODE_ID_BYTES + 8 + SUPERNODE_ID_BYTES + SIGNATURE_BYTES;

export function encodeAnnouncement(announcement: Announcement): Uint8Array {
  return new ByteWriter()
    .fixed(fromHex(announcement.supernodeId), SUPERNODE_ID_BYTES)
    .u64(announcement.incarnation)
    .fixed(announcement.gossipKey, GOSSIP_KEY_BYTES)
    .u64(announcement.certificateSerial)
    .u8(announcement.leaving ? 1 : 0)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it. */
export function decodeAnnouncement(bytes: Uint8Array): Signed<Announcement> {
  return decodeSigned(bytes, "announcement", ANNOUNCEMENT_BYTES, (reader) => ({
    supernodeId: readSupernodeId(reader),
    incarnation: reader.u64(),
    gossipKey: reader.fixed(GOSSIP_KEY_BYTES),
    certificateSerial: reader.u64(),
    leaving: readBoolean(reader),
  }));
}

export function encodeSuspicion(suspicion: Suspicion): Uint8Array {
  return new ByteWriter()
    .fixed(fromHex(suspicion.subject), SUPERNODE_ID_BYTES)
    .u64(suspicion.incarnation)
    .fixed(fromHex(suspicion.accuser), SUPERNODE_ID_BYTES)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it. */
export function decodeSuspicion(bytes: Uint8Array): Signed<Suspicion> {
  return decodeSigned(bytes, "suspicion", SUSPICION_BYTES, (reader) => ({
    subject: readSupernodeId(reader),
    incarnation: reader.u64(),
    accuser: readSupernodeId(reader),
  }));
}

export function encodeVoucher(voucher: Voucher): Uint8Array {
  return new ByteWriter()
    .fixed(fromHex(voucher.subject), SUPERNODE_ID_BYTES)
    .u64(voucher.certificateSerial)
    .fixed(fromHex(voucher.voucher), SUPERNODE_ID_BYTES)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it. */
export function decodeVoucher(bytes: Uint8Array): Signed<Voucher> {
  return decodeSigned(bytes, "voucher", VOUCHER_BYTES, (reader) => ({
    subject: readSupernodeId(reader),
    certificateSerial: reader.u64(),
    voucher: readSupernodeId(reader),
  }));
}

export function readBoolean(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw reader.refuse("a boolean that is neither");
  return value === 1;
}
