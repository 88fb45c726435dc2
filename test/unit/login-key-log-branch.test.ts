/** A branch of the key log's tree by its twigs, against the same leaves hashed all together. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Branch, PREFIX_BITS, TWIG_BITS } from "../../login-server/key-log/branch.ts";
import { type Leaf, siblingsOf, subtreeHash } from "../../protocol/key-tree.ts";

/** Keys that all begin with abc; few of their other bits differ, so that some twigs are full and some have one leaf. */
const keyed = fc.record({ digit: fc.constantFrom(0, 1, 7, 8, 14, 15), rest: fc.nat(5), value: fc.nat(3) });
type Keyed = typeof keyed extends fc.Arbitrary<infer T> ? T : never;

function leavesOf(some: readonly Keyed[]): Leaf[] {
  const leaves = some.map(({ digit, rest, value }) => {
    const key = new Uint8Array(32);
    key.set([0xab, 0xc0 | digit, rest << 5]);
    return { key, value: Uint8Array.of(value) };
  });
  const byKey = new Map(leaves.map((leaf) => [Buffer.from(leaf.key).toString("hex"), leaf]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, leaf]) => leaf);
}

const inTwig = (leaves: readonly Leaf[], digit: number) => leaves.filter(({ key }) => key[1] === (0xc0 | digit));

describe("a branch of the key log's tree", () => {
  it("has the hash of all its leaves, and proves each of them, from its twigs", () => {
    fc.assert(
      fc.property(fc.array(keyed, { maxLength: 40 }), (some) => {
        const leaves = leavesOf(some);
        const branch = Branch.of(leaves);
        expect(branch.hash).toEqual(subtreeHash(leaves, PREFIX_BITS));
        for (const { key } of leaves) {
          const twig = inTwig(leaves, (key[1] as number) & 0x0f);
          const siblings = [...branch.siblingsOf(key), ...siblingsOf(key, twig, TWIG_BITS)];
          expect(siblings).toEqual(siblingsOf(key, leaves, PREFIX_BITS));
        }
      }),
    );
  });

  it("is the same when one twig after the other is given other leaves", () => {
    fc.assert(
      fc.property(fc.array(keyed, { maxLength: 20 }), fc.array(keyed, { maxLength: 20 }), (before, added) => {
        const leaves = leavesOf([...before, ...added]);
        const digits = new Set(added.map(({ digit }) => digit));
        let branch = Branch.of(leavesOf(before));
        for (const digit of digits) branch = branch.with(digit, inTwig(leaves, digit));
        expect(branch.hash).toEqual(subtreeHash(leaves, PREFIX_BITS));
      }),
    );
  });
});
