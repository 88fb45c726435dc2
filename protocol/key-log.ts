/**
 * The key log: every certificate that the login server has issued for a handle, in a chain
 * of hashes of its own; the ends of all chains in one tree (key-tree.ts); the roots of the
 * tree, epoch by epoch, signed and linked by their hashes. Supernodes pass the newest head
 * around, so the login server must show everybody the same log, and whoever looks up their
 * own handle in it sees every key that was ever certified under their name.
 */
import { ByteReader, ByteWriter, concatBytes, equalBytes, fromHex, utf8 } from "./bytes.ts";
import { KithError } from "./errors.ts";
import {
  DEVICE_ID_BYTES,
  type DeviceId,
  type Handle,
  NETWORK_ID_BYTES,
  type NetworkId,
  USER_ID_BYTES,
  type UserId,
} from "./identifiers.ts";
import { HASH_BYTES, rootOf, treeKeyOf } from "./key-tree.ts";
import { issuerAt } from "./network-key-chain.ts";
import { nodeSignatures, sha256 } from "./node-crypto.ts";
import { readDeviceId, readNetworkId, readUserId } from "./raw-identifiers.ts";
import { decodeSigned, requireSignature, type Signed } from "./signed.ts";
import type { TrustAnchor } from "./trust.ts";

const FORMAT_VERSION = 1;
export const KEY_LOG_HEAD_BYTES = 1 + NETWORK_ID_BYTES + 8 + 8 + 3 * HASH_BYTES + 64;
export const KEY_LOG_ENTRY_BYTES = 8 + USER_ID_BYTES + DEVICE_ID_BYTES + 8 + HASH_BYTES;

/** Entries of one answer: with the proof they fit a frame. */
export const MAX_KEY_LOG_ENTRIES = 500;
/** Heads of one answer: the way back over a million epochs takes some forty. */
export const MAX_KEY_LOG_HEADS = 128;

/** One certificate, as the log has it. */
export interface KeyLogEntry {
  readonly serial: number;
  /** Follows from the signing key: another key is another user. */
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  /** ms since 1970 */
  readonly issuedAt: number;
  /** SHA-256 of the certificate as it travels. */
  readonly certificateHash: Uint8Array;
}

/** How far a handle's chain has come. */
export interface ChainEnd {
  /** Entries so far. */
  readonly length: number;
  /** 32 bytes; of an empty chain chainStart. */
  readonly link: Uint8Array;
}

/** The state of the whole log at one epoch; epochs count from 1. */
export interface KeyLogHead {
  readonly networkId: NetworkId;
  readonly epoch: number;
  readonly issuedAt: number;
  /** Root of the tree. */
  readonly root: Uint8Array;
  /** headHash of the epoch before; zeros at the first. */
  readonly previous: Uint8Array;
  /** headHash of epoch skipTarget(epoch); zeros where that is 0. */
  readonly skip: Uint8Array;
}

export function encodeKeyLogEntry(entry: KeyLogEntry): Uint8Array {
  return new ByteWriter()
    .u64(entry.serial)
    .fixed(fromHex(entry.userId), USER_ID_BYTES)
    .fixed(fromHex(entry.deviceId), DEVICE_ID_BYTES)
    .u64(entry.issuedAt)
    .fixed(entry.certificateHash, HASH_BYTES)
    .finish();
}

/**
 * @param bytes any number of entries, one behind the other
 * @throws KithError `malformed`
 */
export function decodeKeyLogEntries(bytes: Uint8Array): KeyLogEntry[] {
  const reader = new ByteReader(bytes, "key log entries");
  const entries: KeyLogEntry[] = [];
  while (reader.remaining > 0) entries.push(readEntry(reader));
  return entries;
}

function readEntry(reader: ByteReader): KeyLogEntry {
  return {
    serial: reader.u64(),
    userId: readUserId(reader),
    deviceId: readDeviceId(reader),
    issuedAt: reader.u64(),
    certificateHash: reader.fixed(HASH_BYTES),
  };
}

/** @param treeKey of the handle */
export function chainStart(treeKey: Uint8Array): ChainEnd {
  return { length: 0, link: sha256(concatBytes([utf8("kith key chain 1\0"), treeKey])) };
}

export function chainOn(end: ChainEnd, entry: KeyLogEntry): ChainEnd {
  const link = sha256(concatBytes([utf8("kith key link 1\0"), end.link, encodeKeyLogEntry(entry)]));
  return { length: end.length + 1, link };
}

/** What the tree's leaf of a handle holds. */
export function leafValue({ length, link }: ChainEnd): Uint8Array {
  return new ByteWriter().u64(length).fixed(link, HASH_BYTES).finish();
}

export function encodeKeyLogHead(head: KeyLogHead): Uint8Array {
  return new ByteWriter()
    .u8(FORMAT_VERSION)
    .fixed(fromHex(head.networkId), NETWORK_ID_BYTES)
    .u64(head.epoch)
    .u64(head.issuedAt)
    .fixed(head.root, HASH_BYTES)
    .fixed(head.previous, HASH_BYTES)
    .fixed(head.skip, HASH_BYTES)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it: see trustKeyLogHead. */
export function decodeKeyLogHead(bytes: Uint8Array): Signed<KeyLogHead> {
  return decodeSigned(bytes, "key log head", KEY_LOG_HEAD_BYTES, (reader) => {
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const networkId = readNetworkId(reader);
    const epoch = reader.u64();
    if (epoch === 0) throw reader.refuse("epoch 0");
    return {
      networkId,
      epoch,
      issuedAt: reader.u64(),
      root: reader.fixed(HASH_BYTES),
      previous: reader.fixed(HASH_BYTES),
      skip: reader.fixed(HASH_BYTES),
    };
  });
}

/** @throws KithError `malformed`, `too-large`, `signature-invalid`, `certificate-expired` where its key is over */
export function trustKeyLogHead(anchor: TrustAnchor, bytes: Uint8Array): Signed<KeyLogHead> {
  const head = decodeKeyLogHead(bytes);
  if (head.value.networkId !== anchor.networkId) throw new KithError("malformed", { what: "key log head" });
  const issuer = issuerAt(anchor.keys, head.value.issuedAt, anchor.now());
  requireSignature(nodeSignatures, "keyLogHead", head, issuer);
  return head;
}

/** Names a head: of what is signed, so that one statement has one name whatever its signature's bytes. */
export function headHash(head: Pick<Signed<KeyLogHead>, "body">): Uint8Array {
  return sha256(head.body);
}

/**
 * The epoch that a head's `skip` names: the jump pointers of E. W. Myers, *An applicative
 * random-access stack*, Information Processing Letters 17 (1983), by which any earlier epoch
 * is a logarithmic number of steps away.
 */
export function skipTarget(epoch: number): number {
  // The epoch as a sum of numbers 2^k - 1, the greatest first (skew-binary): the last one is the jump.
  let weight = 1;
  while (2 * weight + 1 <= epoch) weight = 2 * weight + 1;
  let rest = epoch;
  while (rest !== weight) {
    if (weight < rest) rest -= weight;
    else weight = (weight - 1) / 2;
  }
  return epoch - weight;
}

/** The epochs on the shortest way back along `skip` and `previous`, both ends left out. */
export function epochsBetween(newer: number, older: number): number[] {
  const epochs: number[] = [];
  let at = newer;
  while (at > older) {
    const far = skipTarget(at);
    at = far >= older ? far : at - 1;
    if (at > older) epochs.push(at);
  }
  return epochs;
}

/**
 * Whether the newer head continues the log that the older one is of.
 * @param between the heads of epochsBetween, in that order
 */
export function continues(
  newer: Signed<KeyLogHead>,
  between: readonly Signed<KeyLogHead>[],
  older: Signed<KeyLogHead>,
): boolean {
  let at = newer;
  for (const next of [...between, older]) {
    const isNext = next.value.epoch === at.value.epoch - 1 && equalBytes(headHash(next), at.value.previous);
    const isSkip = next.value.epoch === skipTarget(at.value.epoch) && equalBytes(headHash(next), at.value.skip);
    if (!isNext && !isSkip) return false;
    at = next;
  }
  return true;
}

/** Whether the head's tree says that this is how far the handle's chain has come. */
export function provesChain(head: KeyLogHead, handle: Handle, end: ChainEnd, siblings: readonly Uint8Array[]): boolean {
  return equalBytes(rootOf({ key: treeKeyOf(handle), value: leafValue(end) }, siblings), head.root);
}
