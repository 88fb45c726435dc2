/**
 * A record in its cell. What a lease repeats is kept once: the head and the network ID
 * are those of all records, and the home supernode is a number (home-table.ts).
 *
 *   offset  bytes
 *   0       1      flags: used, gone
 *   1       3      home number
 *   4       6      last seen, ms since 1970
 *   10      68     user ID, signing key, device ID   } as they stand in the lease
 *   78      …      inbox to signature                }
 */
import {
  DEVICE_ID_BYTES,
  INBOX_BYTES,
  NETWORK_ID_BYTES,
  SIGN_KEY_BYTES,
  SIGNATURE_BYTES,
  SUPERNODE_ID_BYTES,
  USER_ID_BYTES,
} from "../../protocol/identifiers.ts";
import { HOME_NUMBER_BYTES } from "./home-table.ts";

const USED = 1;
const GONE = 2;

// Where things stand in an encoded lease (protocol/lease.ts).
const LEASE_HEAD = 2;
const LEASE_USER = LEASE_HEAD + NETWORK_ID_BYTES;
const IDENTITY_BYTES = USER_ID_BYTES + SIGN_KEY_BYTES + DEVICE_ID_BYTES;
const LEASE_HOME = LEASE_USER + IDENTITY_BYTES;
const LEASE_INBOX = LEASE_HOME + SUPERNODE_ID_BYTES;

// Where they stand in a cell.
const CELL_HOME = 1;
const CELL_SEEN = CELL_HOME + HOME_NUMBER_BYTES;
export const CELL_USER = CELL_SEEN + 6;
const CELL_DEVICE = CELL_USER + USER_ID_BYTES + SIGN_KEY_BYTES;
const CELL_INBOX = CELL_USER + IDENTITY_BYTES;
const CELL_SEQUENCE = CELL_INBOX + INBOX_BYTES;
const CELL_ISSUED = CELL_SEQUENCE + 8;
const CELL_VALIDITY = CELL_ISSUED + 8;
const CELL_BODY_LENGTH = CELL_VALIDITY + 4;
const CELL_BODY = CELL_BODY_LENGTH + 2;

/** What stands before the user ID: the same in every lease of a network. */
export function leasePrefix(lease: Uint8Array): Buffer {
  return Buffer.from(lease.subarray(0, LEASE_USER));
}

export function cellBytes(lease: Uint8Array): number {
  return CELL_INBOX + lease.length - LEASE_INBOX;
}

export function homeIn(lease: Uint8Array): Uint8Array {
  return lease.subarray(LEASE_HOME, LEASE_INBOX);
}

/** Fills a cell. Home and sighting are written by their own functions. */
export function writeLease(memory: Buffer, cell: number, lease: Uint8Array, homeNumber: number): void {
  memory[cell] = USED;
  memory.writeUIntBE(homeNumber, cell + CELL_HOME, HOME_NUMBER_BYTES);
  memory.set(lease.subarray(LEASE_USER, LEASE_HOME), cell + CELL_USER);
  memory.set(lease.subarray(LEASE_INBOX), cell + CELL_INBOX);
}

/** The lease as it was signed. */
export function readLease(memory: Buffer, cell: number, prefix: Buffer, home: Buffer): Uint8Array {
  const end = cell + CELL_BODY + memory.readUInt16BE(cell + CELL_BODY_LENGTH) + SIGNATURE_BYTES;
  const lease = Buffer.allocUnsafe(LEASE_INBOX + end - (cell + CELL_INBOX));
  lease.set(prefix, 0);
  memory.copy(lease, LEASE_USER, cell + CELL_USER, cell + CELL_INBOX);
  lease.set(home, LEASE_HOME);
  memory.copy(lease, LEASE_INBOX, cell + CELL_INBOX, end);
  return lease;
}

export function writeSighting(memory: Buffer, cell: number, lastSeenAt: number, gone: boolean): void {
  memory[cell] = gone ? USED | GONE : USED;
  memory.writeUIntBE(lastSeenAt, cell + CELL_SEEN, 6);
}

export const readLastSeen = (memory: Buffer, cell: number): number => memory.readUIntBE(cell + CELL_SEEN, 6);
export const readGone = (memory: Buffer, cell: number): boolean => ((memory[cell] as number) & GONE) !== 0;
export const readHomeNumber = (memory: Buffer, cell: number): number =>
  memory.readUIntBE(cell + CELL_HOME, HOME_NUMBER_BYTES);
export const readIssuedAt = (memory: Buffer, cell: number): number => readUint64(memory, cell + CELL_ISSUED);
export const readSequence = (memory: Buffer, cell: number): number => readUint64(memory, cell + CELL_SEQUENCE);
export const readValidityMs = (memory: Buffer, cell: number): number => memory.readUInt32BE(cell + CELL_VALIDITY);

export function userIdAt(memory: Buffer, cell: number): Buffer {
  return memory.subarray(cell + CELL_USER, cell + CELL_USER + USER_ID_BYTES);
}

export function deviceIdAt(memory: Buffer, cell: number): Buffer {
  return memory.subarray(cell + CELL_DEVICE, cell + CELL_DEVICE + DEVICE_ID_BYTES);
}

export function inboxAt(memory: Buffer, cell: number): Buffer {
  return memory.subarray(cell + CELL_INBOX, cell + CELL_INBOX + INBOX_BYTES);
}

/** Whether a cell belongs to a user: `compare` on a range makes no garbage. */
export function holdsUser(memory: Buffer, cell: number, userId: Buffer): boolean {
  return memory.compare(userId, 0, USER_ID_BYTES, cell + CELL_USER, cell + CELL_USER + USER_ID_BYTES) === 0;
}

/** Two well-mixed words of a user ID under a secret, by the finaliser of MurmurHash3 (Appleby, public domain). */
export function hashUser(memory: Buffer, offset: number, secret: readonly [number, number], into: MutableHash): void {
  const place = mix(memory.readUInt32BE(offset) ^ mix(memory.readUInt32BE(offset + 4) ^ secret[0]));
  into.place = place >>> 0;
  into.tag = mix(place ^ secret[1]) >>> 0;
}

export interface MutableHash {
  place: number;
  tag: number;
}

function mix(word: number): number {
  let value = word | 0;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

function readUint64(memory: Buffer, offset: number): number {
  return memory.readUInt32BE(offset) * 2 ** 32 + memory.readUInt32BE(offset + 4);
}
