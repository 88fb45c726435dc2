/** The members on disk: what a supernode that starts again needs to find the others without the login server. */
import { ByteReader, ByteWriter } from "../../protocol/bytes.ts";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import {
  ANNOUNCEMENT_BYTES,
  decodeAnnouncement,
  decodeVoucher,
  VOUCHER_BYTES,
} from "../../protocol/gossip-statement.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { RememberedMember } from "./gossip-event.ts";

const FORMAT_VERSION = 1;

export function encodeMembers(members: readonly RememberedMember[]): Uint8Array {
  const writer = new ByteWriter().u8(FORMAT_VERSION).u32(members.length);
  for (const { certificate, item } of members) {
    writer
      .bytes16(certificate.bytes)
      .fixed(item.announcement.bytes, ANNOUNCEMENT_BYTES)
      .fixed(item.voucher.bytes, VOUCHER_BYTES);
  }
  return writer.finish();
}

/** Nothing if the file is damaged or of another version: then the login server's list is where to begin. */
export function decodeMembers(bytes: Uint8Array, now: number): RememberedMember[] {
  try {
    const reader = new ByteReader(bytes, "members");
    if (reader.u8() !== FORMAT_VERSION) return [];
    const members: RememberedMember[] = [];
    for (let count = reader.u32(); count > 0; count--) {
      const certificate = decodeSupernodeCertificate(reader.bytes16(LIMITS.maxCertificateBytes));
      const announcement = decodeAnnouncement(reader.fixed(ANNOUNCEMENT_BYTES));
      const voucher = decodeVoucher(reader.fixed(VOUCHER_BYTES));
      if (certificate.value.expiresAt > now) {
        members.push({ certificate, item: { kind: "member", announcement, voucher } });
      }
    }
    reader.end();
    return members;
  } catch (error) {
    if (error instanceof KithError) return [];
    throw error;
  }
}
