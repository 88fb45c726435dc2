/** The seals of a STUN message: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §14.5 to §14.7). */
import { createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { Attribute } from "./stun-attributes.ts";
import { STUN_HEADER_BYTES, type StunMessage } from "./stun-message.ts";

/** Which of the two message-integrity attributes. */
export type IntegrityKind = "sha1" | "sha256";

export const INTEGRITY_BYTES: Readonly<Record<IntegrityKind, number>> = { sha1: 20, sha256: 32 };
export const INTEGRITY_ATTRIBUTE = {
  sha1: Attribute.messageIntegrity,
  sha256: Attribute.messageIntegritySha256,
} as const satisfies Record<IntegrityKind, number>;

const FINGERPRINT_XOR = 0x5354554e;

/**
 * The HMAC over a message up to, not including, its integrity attribute, with the header's
 * length set as if the message ended with that attribute.
 * @param attributeOffset where the attribute's header begins, or will begin
 */
export function integrityOf(
  bytes: Buffer,
  start: number,
  attributeOffset: number,
  kind: IntegrityKind,
  key: Uint8Array,
  valueBytes = INTEGRITY_BYTES[kind],
): Buffer {
  const head = Buffer.from(bytes.subarray(start, start + 4));
  head.writeUInt16BE(attributeOffset + 4 + valueBytes - start - STUN_HEADER_BYTES, 2);
  return createHmac(kind, key)
    .update(head)
    .update(bytes.subarray(start + 4, attributeOffset))
    .digest();
}

/** @returns whether the message carries this kind of integrity, and it is right; compared in constant time */
export function hasValidIntegrity(message: StunMessage, kind: IntegrityKind, key: Uint8Array): boolean {
  const index = message.find(INTEGRITY_ATTRIBUTE[kind]);
  if (index < 0) return false;
  const length = message.length(index);
  // RFC 8489 §14.6: SHA-256 may be cut to at least 16 bytes, in steps of 4. This server allows the whole one only,
  // as the section lets a usage decide; SHA-1 always has its 20 bytes.
  if (length !== INTEGRITY_BYTES[kind]) return false;
  const offset = message.offset(index);
  const claimed = message.bytes.subarray(offset, offset + length);
  return timingSafeEqual(claimed, integrityOf(message.bytes, message.start, offset - 4, kind, key));
}

/** The FINGERPRINT value of a message whose fingerprint attribute's header begins at `attributeOffset`. */
export function fingerprintOf(bytes: Buffer, start: number, attributeOffset: number): number {
  return (crc32(bytes.subarray(start, attributeOffset)) ^ FINGERPRINT_XOR) >>> 0;
}

export function hasValidFingerprint(message: StunMessage): boolean {
  const index = message.find(Attribute.fingerprint);
  if (index < 0 || message.length(index) !== 4) return false;
  const offset = message.offset(index);
  return message.bytes.readUInt32BE(offset) === fingerprintOf(message.bytes, message.start, offset - 4);
}
