/**
 * A record in its cell: the lease but for its head and network ID, which all records of
 * a store have in common, behind what the directory knows of it.
 *
 *   offset  bytes
 *   0       1      flags: used, gone
 *   1       6      last seen, ms since 1970
 *   8       …      user ID to signature, as they stand in the lease: at a whole word, to be compared by words
 */

import {
  DEVICE_ID_BYTES,
  type DeviceId,
  INBOX_BYTES,
  type InboxId,
  NETWORK_ID_BYTES,
  SIGN_KEY_BYTES,
  SIGNATURE_BYTES,
  SUPERNODE_ID_BYTES,
  type SupernodeId,
  USER_ID_BYTES,
  type UserId,
} from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { mix } from "../../protocol/placement.ts";
import type { LeaseCopies } from "./lease-copies.ts";
import type { Sighting } from "./sighting.ts";

const USED = 1;
const GONE = 2;

/** Kind, version and network ID stand before the user ID in an encoded lease (protocol/lease.ts). */
const PREFIX_BYTES = 2 + NETWORK_ID_BYTES;

const LEASE_DEVICE = PREFIX_BYTES + USER_ID_BYTES + SIGN_KEY_BYTES;
const LEASE_SEQUENCE = LEASE_DEVICE + DEVICE_ID_BYTES + SUPERNODE_ID_BYTES + INBOX_BYTES;
const LEASE_BODY_LENGTH = LEASE_SEQUENCE + 8 + 8 + 4;

const SEEN = 1;
const CELL_USER = 8;
const WORD_BYTES = 4;
const USER_WORD = CELL_USER / WORD_BYTES;
const USER_WORDS = USER_ID_BYTES / WORD_BYTES;
const DEVICE = CELL_USER + USER_ID_BYTES + SIGN_KEY_BYTES;
const HOME = DEVICE + DEVICE_ID_BYTES;
const INBOX = HOME + SUPERNODE_ID_BYTES;
const SEQUENCE = INBOX + INBOX_BYTES;
const ISSUED = SEQUENCE + 8;
const VALIDITY = ISSUED + 8;
const BODY_LENGTH = VALIDITY + 4;
const BODY = BODY_LENGTH + 2;

/** What stands before the user ID: the same in every lease of a network. */
export function leasePrefix(lease: Uint8Array): Buffer {
  return Buffer.from(lease.subarray(0, PREFIX_BYTES));
}

/** Whether the length is what the lease itself says: all else was checked before it was ever written. */
export function isLeaseShaped(lease: Uint8Array): boolean {
  const bodyLength = ((lease[LEASE_BODY_LENGTH] ?? 0) << 8) | (lease[LEASE_BODY_LENGTH + 1] ?? 0);
  return lease.length === LEASE_BODY_LENGTH + 2 + bodyLength + SIGNATURE_BYTES;
}

export function hasPrefix(lease: Uint8Array, prefix: Buffer): boolean {
  for (let at = 0; at < prefix.length; at++) if (lease[at] !== prefix[at]) return false;
  return true;
}

/** Whose a lease is, as views of it. */
export function ownerIn(lease: Uint8Array): { readonly user: Uint8Array; readonly device: Uint8Array } {
  return {
    user: lease.subarray(PREFIX_BYTES, PREFIX_BYTES + USER_ID_BYTES),
    device: lease.subarray(LEASE_DEVICE, LEASE_DEVICE + DEVICE_ID_BYTES),
  };
}

export function sequenceIn(lease: Uint8Array): number {
  return uint64In(lease, LEASE_SEQUENCE);
}

export function timesIn(lease: Uint8Array): Pick<Lease, "issuedAt" | "validityMs"> {
  return { issuedAt: uint64In(lease, LEASE_SEQUENCE + 8), validityMs: uint32In(lease, LEASE_SEQUENCE + 16) };
}

export function cellBytes(lease: Uint8Array): number {
  return CELL_USER + lease.length - PREFIX_BYTES;
}

/** Fills a cell but for its sighting. */
export function writeLease(memory: Buffer, cell: number, lease: Uint8Array): void {
  memory[cell] = USED;
  memory.set(lease.subarray(PREFIX_BYTES), cell + CELL_USER);
}

// What a look-up reads, it reads as words: they are `words`, the same memory, and the cell begins at `word`.

/** The lease as it was signed. */
export function readLease(words: Int32Array, word: number, prefix: Buffer, copies: LeaseCopies): Uint8Array {
  const bodyLength = bigEndian(words, word, BODY_LENGTH) >>> 16;
  return copies.copy(prefix, words, word + USER_WORD, BODY - CELL_USER + bodyLength + SIGNATURE_BYTES);
}

export function writeSighting(memory: Buffer, cell: number, sighting: Sighting): void {
  memory[cell] = sighting.gone ? USED | GONE : USED;
  memory.writeUIntBE(sighting.lastSeenAt, cell + SEEN, 6);
}

/** Six bytes behind the flags: three in the first word, three in the second. */
export function readLastSeen(words: Int32Array, word: number): number {
  return (bigEndian(words, word, 0) & 0xffffff) * 2 ** 24 + (bigEndian(words, word, WORD_BYTES) >>> 8);
}

export const readGone = (words: Int32Array, word: number): boolean => ((bigEndian(words, word, 0) >>> 24) & GONE) !== 0;
export const readSequence = (words: Int32Array, word: number): number => readUint64(words, word, SEQUENCE);

export function readTimes(words: Int32Array, word: number): Pick<Lease, "issuedAt" | "validityMs"> {
  return { issuedAt: readUint64(words, word, ISSUED), validityMs: bigEndian(words, word, VALIDITY) >>> 0 };
}

/** As forgottenAt of sighting.ts, without making an object of what is swept over. */
export function readForgottenAt(words: Int32Array, word: number): number {
  const seenUntil = readGone(words, word)
    ? readLastSeen(words, word)
    : readUint64(words, word, ISSUED) + (bigEndian(words, word, VALIDITY) >>> 0);
  return seenUntil + TIMES.leaseMemoryMs;
}

// What stands in a cell was checked when it came in, so its identifiers need no second look.
const hexAt = (memory: Buffer, from: number, bytes: number): string => memory.toString("hex", from, from + bytes);
export const userIdAt = (memory: Buffer, cell: number): UserId =>
  hexAt(memory, cell + CELL_USER, USER_ID_BYTES) as UserId;
export const deviceIdAt = (memory: Buffer, cell: number): DeviceId =>
  hexAt(memory, cell + DEVICE, DEVICE_ID_BYTES) as DeviceId;
export const homeAt = (memory: Buffer, cell: number): SupernodeId =>
  hexAt(memory, cell + HOME, SUPERNODE_ID_BYTES) as SupernodeId;
export const inboxAt = (memory: Buffer, cell: number): InboxId => hexAt(memory, cell + INBOX, INBOX_BYTES) as InboxId;

/** Whether a cell belongs to a user. Word by word: five reads cost a tenth of a call to `compare`. */
export function holdsUser(words: Int32Array, word: number, user: Int32Array): boolean {
  for (let at = 0; at < USER_WORDS; at++) if (words[word + USER_WORD + at] !== user[at]) return false;
  return true;
}

export function holdsDevice(memory: Buffer, cell: number, deviceId: Buffer): boolean {
  return memory.compare(deviceId, 0, DEVICE_ID_BYTES, cell + DEVICE, cell + DEVICE + DEVICE_ID_BYTES) === 0;
}

/** A user ID under a secret, by the finaliser of MurmurHash3 (Appleby, public domain). `word` is where the ID begins. */
export function hashUser(words: Int32Array, word: number, secret: readonly [number, number]): number {
  return mix((words[word] as number) ^ mix((words[word + 1] as number) ^ secret[0]) ^ secret[1]);
}

/** Of the user in a cell. */
export function hashCell(words: Int32Array, word: number, secret: readonly [number, number]): number {
  return hashUser(words, word + USER_WORD, secret);
}

function uint64In(bytes: Uint8Array, offset: number): number {
  return uint32In(bytes, offset) * 2 ** 32 + uint32In(bytes, offset + 4);
}

function uint32In(bytes: Uint8Array, offset: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
  return a * 2 ** 24 + (b << 16) + (c << 8) + d;
}

function readUint64(words: Int32Array, word: number, offset: number): number {
  return (bigEndian(words, word, offset) >>> 0) * 2 ** 32 + (bigEndian(words, word, offset + WORD_BYTES) >>> 0);
}

const IS_LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1;

/** The four bytes at an offset in the cell, which is that of a whole word. */
function bigEndian(words: Int32Array, word: number, offset: number): number {
  const native = words[word + offset / WORD_BYTES] as number;
  if (!IS_LITTLE_ENDIAN) return native;
  return (native << 24) | ((native & 0xff00) << 8) | ((native >>> 8) & 0xff00) | (native >>> 24);
}
