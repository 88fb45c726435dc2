/**
 * One branch of the key log's tree, cut by its keys' next digit into sixteen twigs of which only the hashes are known.
 * What changes one leaf then costs the leaves of its twig, some fifteen among a million accounts, and not the branch's 250.
 */
import { bitOf, EMPTY_TREE, type Leaf, nodeHash, subtreeHash } from "../../protocol/key-tree.ts";

/** Digits of the keys in one branch that are alike. */
export const PREFIX_DIGITS = 3;
export const PREFIX_BITS = 4 * PREFIX_DIGITS;
export const TWIG_BITS = PREFIX_BITS + 4;
const TWIGS = 16;

interface Twig {
  readonly leaves: number;
  /** Of a single leaf that leaf's own: the tree is no deeper than it must be. */
  readonly hash: Uint8Array;
}

export class Branch {
  /** As subtreeHash of all its leaves. */
  readonly hash: Uint8Array;
  readonly #twigs: readonly Twig[];

  private constructor(twigs: readonly Twig[]) {
    this.#twigs = twigs;
    this.hash = hashOf(twigs);
  }

  /** @param leaves all of the branch, sorted by key */
  static of(leaves: readonly Leaf[]): Branch {
    return new Branch(
      Array.from({ length: TWIGS }, (_, digit) => twigOf(leaves.filter(({ key }) => digitOf(key) === digit))),
    );
  }

  /** With these as the only leaves of their twig. */
  with(digit: number, leaves: readonly Leaf[]): Branch {
    return new Branch(this.#twigs.with(digit, twigOf(leaves)));
  }

  /** The siblings from the branch down to the twig of this key, the nearest to the root first. */
  siblingsOf(key: Uint8Array): Uint8Array[] {
    const siblings: Uint8Array[] = [];
    let twigs = this.#twigs;
    for (let depth = PREFIX_BITS; depth < TWIG_BITS && leavesOf(twigs) > 1; depth++) {
      const [left, right] = halvesOf(twigs);
      const isRight = bitOf(key, depth) === 1;
      siblings.push(hashOf(isRight ? left : right));
      twigs = isRight ? right : left;
    }
    return siblings;
  }
}

/** Which twig of its branch a key belongs to. */
function digitOf(key: Uint8Array): number {
  return (key[PREFIX_BITS >> 3] as number) & 0x0f;
}

function twigOf(leaves: readonly Leaf[]): Twig {
  return { leaves: leaves.length, hash: subtreeHash(leaves, TWIG_BITS) };
}

function hashOf(twigs: readonly Twig[]): Uint8Array {
  const leaves = leavesOf(twigs);
  if (leaves === 0) return EMPTY_TREE;
  if (leaves === 1 || twigs.length === 1) return (twigs.find((twig) => twig.leaves > 0) as Twig).hash;
  const [left, right] = halvesOf(twigs);
  return nodeHash(hashOf(left), hashOf(right));
}

function leavesOf(twigs: readonly Twig[]): number {
  return twigs.reduce((sum, twig) => sum + twig.leaves, 0);
}

function halvesOf(twigs: readonly Twig[]): [readonly Twig[], readonly Twig[]] {
  return [twigs.slice(0, twigs.length / 2), twigs.slice(twigs.length / 2)];
}
