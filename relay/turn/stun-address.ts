/** XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS and XOR-RELAYED-ADDRESS (RFC 8489 §14.2, RFC 8656 §18.3, §18.5). */
import { WIRE_IPV4, WIRE_IPV6 } from "./stun-attributes.ts";
import { MAGIC_COOKIE, type StunMessage } from "./stun-message.ts";
import type { TransportAddress } from "./transport-address.ts";

export const XOR_IPV4_BYTES = 8;
export const XOR_IPV6_BYTES = 20;
const PORT_MASK = MAGIC_COOKIE >>> 16;

/**
 * `wrapped-ipv4` is an IPv6 address that only wraps an IPv4 one (::ffff:0:0/96). No peer has such an address on the
 * wire, and no later rule must have to tell two forms of one address apart: it is refused here.
 */
export type XorAddressFault = "malformed" | "wrapped-ipv4";

/** Reads the attribute at `index` into `into`. @returns what is wrong with it, or null */
export function readXorAddress(message: StunMessage, index: number, into: TransportAddress): XorAddressFault | null {
  const { bytes } = message;
  const offset = message.offset(index);
  const length = message.length(index);
  if (length < XOR_IPV4_BYTES) return "malformed";
  const family = bytes.readUInt8(offset + 1);
  const port = bytes.readUInt16BE(offset + 2) ^ PORT_MASK;
  if (family === WIRE_IPV4 && length === XOR_IPV4_BYTES) {
    into.setIPv4(bytes.readInt32BE(offset + 4) ^ MAGIC_COOKIE, port);
    return null;
  }
  if (family !== WIRE_IPV6 || length !== XOR_IPV6_BYTES) return "malformed";
  const id = message.start + 8;
  into.setWords(
    bytes.readInt32BE(offset + 4) ^ MAGIC_COOKIE,
    bytes.readInt32BE(offset + 8) ^ bytes.readInt32BE(id),
    bytes.readInt32BE(offset + 12) ^ bytes.readInt32BE(id + 4),
    bytes.readInt32BE(offset + 16) ^ bytes.readInt32BE(id + 8),
    port,
  );
  return into.family === 6 ? null : "wrapped-ipv4";
}

/**
 * Writes the attribute's value at `offset`.
 * @param transactionIdOffset where the message's transaction ID begins in `bytes`
 * @returns the number of bytes written: 8 or 20
 */
export function writeXorAddress(
  bytes: Buffer,
  offset: number,
  address: TransportAddress,
  transactionIdOffset: number,
): number {
  const ipv4 = address.family === 4;
  bytes.writeUInt16BE(ipv4 ? WIRE_IPV4 : WIRE_IPV6, offset);
  bytes.writeUInt16BE(address.port ^ PORT_MASK, offset + 2);
  if (ipv4) {
    bytes.writeInt32BE(address.w3 ^ MAGIC_COOKIE, offset + 4);
    return XOR_IPV4_BYTES;
  }
  bytes.writeInt32BE(address.w0 ^ MAGIC_COOKIE, offset + 4);
  bytes.writeInt32BE(address.w1 ^ bytes.readInt32BE(transactionIdOffset), offset + 8);
  bytes.writeInt32BE(address.w2 ^ bytes.readInt32BE(transactionIdOffset + 4), offset + 12);
  bytes.writeInt32BE(address.w3 ^ bytes.readInt32BE(transactionIdOffset + 8), offset + 16);
  return XOR_IPV6_BYTES;
}
