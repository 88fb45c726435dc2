/**
 * The tree behind the key log's heads: a binary prefix tree over the SHA-256 of handles, as
 * CONIKS has it (Melara et al., *CONIKS: Bringing Key Transparency to End Users*, USENIX
 * Security 2015, section 3). One root commits to what the log says of every handle at once,
 * so two people who know the same root cannot be told different things about anyone.
 */
import { concatBytes, equalBytes, utf8 } from "./bytes.ts";
import type { Handle } from "./identifiers.ts";
import { sha256 } from "./node-crypto.ts";

export const HASH_BYTES = 32;
/** A path never gets longer than the key has bits; among a million handles it has some twenty steps. */
export const MAX_PATH_STEPS = 8 * HASH_BYTES;

// What is hashed begins with what it is, so that no leaf passes for a node (RFC 9162, section 2.1.1).
const LEAF = utf8("kith key tree leaf 1\0");
const NODE = utf8("kith key tree node 1\0");

/** The hash of a subtree without leaves. */
export const EMPTY_TREE = new Uint8Array(HASH_BYTES);

/** Where a handle stands in the tree; 32 bytes, the first bit of the first byte decides first. */
export function treeKeyOf(handle: Handle): Uint8Array {
  return sha256(concatBytes([utf8("kith key tree handle 1\0"), utf8(handle)]));
}

export function leafHash(key: Uint8Array, value: Uint8Array): Uint8Array {
  return sha256(concatBytes([LEAF, key, value]));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (equalBytes(left, EMPTY_TREE) && equalBytes(right, EMPTY_TREE)) return EMPTY_TREE;
  return sha256(concatBytes([NODE, left, right]));
}

export interface Leaf {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The hash of a subtree: of none of its leaves, of its only leaf, or of its two halves.
 * @param leaves sorted by key, all alike in their first `depth` bits
 */
export function subtreeHash(leaves: readonly Leaf[], depth: number): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return EMPTY_TREE;
  if (leaves.length === 1) return leafHash(first.key, first.value);
  const middle = firstOnTheRight(leaves, depth);
  return nodeHash(subtreeHash(leaves.slice(0, middle), depth + 1), subtreeHash(leaves.slice(middle), depth + 1));
}

/** The siblings beside the way to `key`'s leaf, the nearest to the root first. Arguments as of subtreeHash. */
export function siblingsOf(key: Uint8Array, leaves: readonly Leaf[], depth: number): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const middle = firstOnTheRight(leaves, depth);
  const halves = [leaves.slice(0, middle), leaves.slice(middle)] as const;
  const side = bitOf(key, depth);
  return [subtreeHash(halves[side === 0 ? 1 : 0], depth + 1), ...siblingsOf(key, halves[side], depth + 1)];
}

/** The root of the tree in which this leaf has these siblings, the nearest to the root first. */
export function rootOf(leaf: Leaf, siblings: readonly Uint8Array[]): Uint8Array {
  let hash = leafHash(leaf.key, leaf.value);
  for (let depth = siblings.length - 1; depth >= 0; depth--) {
    const sibling = siblings[depth] as Uint8Array;
    hash = bitOf(leaf.key, depth) === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
  }
  return hash;
}

export function bitOf(key: Uint8Array, index: number): 0 | 1 {
  return (((key[index >> 3] as number) >> (7 - (index & 7))) & 1) as 0 | 1;
}

function firstOnTheRight(leaves: readonly Leaf[], depth: number): number {
  const middle = leaves.findIndex(({ key }) => bitOf(key, depth) === 1);
  return middle === -1 ? leaves.length : middle;
}
