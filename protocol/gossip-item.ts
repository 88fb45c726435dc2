/** What is told about members, in whichever message has room for it. */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeSupernodeCertificate, type SupernodeCertificate } from "./certificate.ts";
import {
  ANNOUNCEMENT_BYTES,
  type Announcement,
  decodeAnnouncement,
  decodeSuspicion,
  decodeVoucher,
  SUSPICION_BYTES,
  type Suspicion,
  VOUCHER_BYTES,
  type Voucher,
} from "./gossip-statement.ts";
import { LIMITS } from "./limits.ts";
import type { Signed } from "./signed.ts";

/** A member as it is told to others: what it says itself, and who has reached it. */
export interface MemberItem {
  readonly kind: "member";
  readonly announcement: Signed<Announcement>;
  readonly voucher: Signed<Voucher>;
}
export type GossipItem =
  | MemberItem
  | { readonly kind: "announcement"; readonly announcement: Signed<Announcement> }
  | { readonly kind: "suspicion"; readonly suspicion: Signed<Suspicion> }
  | { readonly kind: "certificate"; readonly certificate: Signed<SupernodeCertificate> };

const ITEM_MEMBER = 1;
const ITEM_ANNOUNCEMENT = 2;
const ITEM_SUSPICION = 3;
const ITEM_CERTIFICATE = 4;

/** The size of an item when encoded. */
export function itemBytes(item: GossipItem): number {
  switch (item.kind) {
    case "member":
      return 1 + ANNOUNCEMENT_BYTES + VOUCHER_BYTES;
    case "announcement":
      return 1 + ANNOUNCEMENT_BYTES;
    case "suspicion":
      return 1 + SUSPICION_BYTES;
    case "certificate":
      return 1 + 2 + item.certificate.bytes.length;
    default:
      return item satisfies never;
  }
}

export function writeItems(writer: ByteWriter, items: readonly GossipItem[]): void {
  writer.u8(items.length);
  for (const item of items) {
    switch (item.kind) {
      case "member":
        writer.u8(ITEM_MEMBER).fixed(item.announcement.bytes, ANNOUNCEMENT_BYTES);
        writer.fixed(item.voucher.bytes, VOUCHER_BYTES);
        break;
      case "announcement":
        writer.u8(ITEM_ANNOUNCEMENT).fixed(item.announcement.bytes, ANNOUNCEMENT_BYTES);
        break;
      case "suspicion":
        writer.u8(ITEM_SUSPICION).fixed(item.suspicion.bytes, SUSPICION_BYTES);
        break;
      case "certificate":
        writer.u8(ITEM_CERTIFICATE).bytes16(item.certificate.bytes);
        break;
      default:
        item satisfies never;
    }
  }
}

/** @throws KithError `malformed`, `too-large` */
export function readItems(reader: ByteReader): GossipItem[] {
  return Array.from({ length: reader.u8() }, () => readItem(reader));
}

function readItem(reader: ByteReader): GossipItem {
  switch (reader.u8()) {
    case ITEM_MEMBER:
      return {
        kind: "member",
        announcement: readAnnouncement(reader),
        voucher: decodeVoucher(reader.fixed(VOUCHER_BYTES)),
      };
    case ITEM_ANNOUNCEMENT:
      return { kind: "announcement", announcement: readAnnouncement(reader) };
    case ITEM_SUSPICION:
      return { kind: "suspicion", suspicion: decodeSuspicion(reader.fixed(SUSPICION_BYTES)) };
    case ITEM_CERTIFICATE:
      return {
        kind: "certificate",
        certificate: decodeSupernodeCertificate(reader.bytes16(LIMITS.maxCertificateBytes)),
      };
    default:
      throw reader.refuse("an item that is not known here");
  }
}

export function readAnnouncement(reader: ByteReader): Signed<Announcement> {
  return decodeAnnouncement(reader.fixed(ANNOUNCEMENT_BYTES));
}
