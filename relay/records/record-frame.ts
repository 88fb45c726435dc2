/**
 * Records on disk: a header, then one frame after the other.
 *
 *   header  "kith records" version(1) network ID(20)
 *   frame   length(2) CRC-32(4) payload: gone(1) last seen(6) lease(…)
 *
 * A file may end in the middle of a frame, because the machine stopped there: everything before holds.
 */
import { crc32 } from "node:zlib";
import { concatBytes, fromHex, utf8 } from "../../protocol/bytes.ts";
import { NETWORK_ID_BYTES, type NetworkId } from "../../protocol/identifiers.ts";
import { MAX_LEASE_BYTES } from "../../protocol/lease.ts";
import { isLeaseShaped } from "./record-layout.ts";
import type { Sighting } from "./sighting.ts";

const MAGIC = utf8("kith records");
const VERSION = 1;
export const FILE_HEADER_BYTES = MAGIC.length + 1 + NETWORK_ID_BYTES;

const FRAME_HEAD_BYTES = 6;
const SIGHTING_BYTES = 7;
export const MAX_FRAME_BYTES = FRAME_HEAD_BYTES + SIGHTING_BYTES + MAX_LEASE_BYTES;

export function fileHeader(networkId: NetworkId): Uint8Array {
  return concatBytes([MAGIC, Uint8Array.of(VERSION), fromHex(networkId)]);
}

/** `foreign`: another network's, or no file of records at all. */
export function checkHeader(bytes: Uint8Array, networkId: NetworkId): "ours" | "newer" | "foreign" {
  const ours = fileHeader(networkId);
  const hasMagic = MAGIC.every((byte, index) => bytes[index] === byte);
  if (hasMagic && (bytes[MAGIC.length] as number) > VERSION) return "newer";
  return bytes.length === ours.length && ours.every((byte, index) => bytes[index] === byte) ? "ours" : "foreign";
}

export function encodeFrame(lease: Uint8Array, sighting: Sighting): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + SIGHTING_BYTES + lease.length);
  frame.writeUInt16BE(SIGHTING_BYTES + lease.length, 0);
  frame[FRAME_HEAD_BYTES] = sighting.gone ? 1 : 0;
  frame.writeUIntBE(sighting.lastSeenAt, FRAME_HEAD_BYTES + 1, 6);
  frame.set(lease, FRAME_HEAD_BYTES + SIGHTING_BYTES);
  frame.writeUInt32BE(crc32(frame.subarray(FRAME_HEAD_BYTES)), 2);
  return frame;
}

export type FrameStep =
  | { readonly kind: "frame"; readonly lease: Uint8Array; readonly sighting: Sighting; readonly end: number }
  /** The rest of the frame is not here (yet). */
  | { readonly kind: "cut" }
  | { readonly kind: "damaged" };

/** The frame that starts at `offset`. Its lease is a view of `bytes`. */
export function decodeFrame(bytes: Buffer, offset: number): FrameStep {
  if (bytes.length - offset < FRAME_HEAD_BYTES) return { kind: "cut" };
  const length = bytes.readUInt16BE(offset);
  if (length > MAX_FRAME_BYTES) return { kind: "damaged" };
  const start = offset + FRAME_HEAD_BYTES;
  const end = start + length;
  if (end > bytes.length) return { kind: "cut" };
  if (crc32(bytes.subarray(start, end)) !== bytes.readUInt32BE(offset + 2)) return { kind: "damaged" };
  const lease = bytes.subarray(start + SIGHTING_BYTES, end);
  if (length < SIGHTING_BYTES || !isLeaseShaped(lease)) return { kind: "damaged" };
  return {
    kind: "frame",
    lease,
    sighting: { gone: bytes[start] === 1, lastSeenAt: bytes.readUIntBE(start + 1, 6) },
    end,
  };
}
