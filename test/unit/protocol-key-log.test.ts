import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../../protocol/bytes.ts";
import { DeviceId, Handle } from "../../protocol/identifiers.ts";
import {
  type ChainEnd,
  chainOn,
  chainStart,
  continues,
  decodeKeyLogEntries,
  decodeKeyLogHead,
  encodeKeyLogEntry,
  encodeKeyLogHead,
  epochsBetween,
  headHash,
  type KeyLogEntry,
  type KeyLogHead,
  leafValue,
  provesChain,
  skipTarget,
  trustKeyLogHead,
} from "../../protocol/key-log.ts";
import { EMPTY_TREE, type Leaf, rootOf, siblingsOf, subtreeHash, treeKeyOf } from "../../protocol/key-tree.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { networkIdOf, nodeSignatures, signingKeyPair, userIdOf } from "../../protocol/node-crypto.ts";
import { decodeRevocationList, encodeRevocationList, trustRevocationList } from "../../protocol/revocations.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";

const network = signingKeyPair();
const networkId = networkIdOf(network.publicKey);
const anchor = trustAnchor(network.publicKey, () => 0);
const sorted = (leaves: readonly Leaf[]) => leaves.toSorted((a, b) => Buffer.compare(a.key, b.key));
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function entry(serial: number): KeyLogEntry {
  return {
    serial,
    userId: userIdOf(randomBytes(32)),
    deviceId: DeviceId.parse(toHex(randomBytes(16))),
    issuedAt: 1_700_000_000_000 + serial,
    certificateHash: new Uint8Array(randomBytes(32)),
  };
}

/** Heads 1 to `count` of one log. */
function logOf(count: number, salt = 0): Signed<KeyLogHead>[] {
  const heads: Signed<KeyLogHead>[] = [];
  const hashOf = (epoch: number) =>
    epoch === 0 ? new Uint8Array(32) : headHash(heads[epoch - 1] as Signed<KeyLogHead>);
  for (let epoch = 1; epoch <= count; epoch++) {
    const body = encodeKeyLogHead({
      networkId,
      epoch,
      issuedAt: epoch,
      root: new Uint8Array(32).fill(salt),
      previous: hashOf(epoch - 1),
      skip: hashOf(skipTarget(epoch)),
    });
    heads.push(decodeKeyLogHead(signBody(nodeSignatures, "keyLogHead", body, network.secretKey)));
  }
  return heads;
}

describe("the key tree", () => {
  it("proves each of its leaves and no other value, at any size", () => {
    fc.assert(
      fc.property(fc.uniqueArray(bytes32, { minLength: 1, maxLength: 60, selector: toHex }), bytes32, (keys, other) => {
        const leaves = sorted(keys.map((key, index) => ({ key, value: Uint8Array.of(index) })));
        const root = subtreeHash(leaves, 0);
        for (const leaf of leaves) {
          const siblings = siblingsOf(leaf.key, leaves, 0);
          expect(rootOf(leaf, siblings)).toEqual(root);
          expect(rootOf({ key: leaf.key, value: other }, siblings)).not.toEqual(root);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("is empty without leaves, and another tree when any leaf changes, comes or goes", () => {
    expect(subtreeHash([], 0)).toEqual(EMPTY_TREE);
    const leaves = sorted(
      Array.from({ length: 9 }, (_, index) => ({
        key: treeKeyOf(Handle.parse(`user-${index}`)),
        value: Uint8Array.of(1),
      })),
    );
    const root = toHex(subtreeHash(leaves, 0));
    const changed = leaves.map((leaf, index) => (index === 4 ? { ...leaf, value: Uint8Array.of(2) } : leaf));
    expect(toHex(subtreeHash(changed, 0))).not.toBe(root);
    expect(toHex(subtreeHash(leaves.slice(1), 0))).not.toBe(root);
  });
});

describe("a handle's chain", () => {
  it("ends elsewhere when an entry is left out, added, changed or put in another order", () => {
    const start = chainStart(treeKeyOf(Handle.parse("alice")));
    const entries = [1, 2, 3].map(entry);
    const endOf = (list: readonly KeyLogEntry[]) => toHex(leafValue(list.reduce(chainOn, start)));
    const [one, two, three] = entries as [KeyLogEntry, KeyLogEntry, KeyLogEntry];
    const others = [
      [one, two],
      [one, three, two],
      [one, two, three, entry(4)],
      [one, two, { ...three, issuedAt: 5 }],
    ];
    for (const other of others) expect(endOf(other)).not.toBe(endOf(entries));
    expect(endOf([one, two, { ...three }])).toBe(endOf(entries));
  });

  it("is proved by the head whose tree has it, for that handle and that length alone", () => {
    const handles = ["alice", "bob", "carol", "dave"].map((name) => Handle.parse(name));
    const ends = handles.map(
      (handle, index): ChainEnd => ({ ...[entry(index)].reduce(chainOn, chainStart(treeKeyOf(handle))) }),
    );
    const leaves = sorted(
      handles.map((handle, index) => ({ key: treeKeyOf(handle), value: leafValue(ends[index] as ChainEnd) })),
    );
    const head = { ...(logOf(1)[0] as Signed<KeyLogHead>).value, root: subtreeHash(leaves, 0) };
    const [alice, bob] = handles as [Handle, Handle];
    const [end] = ends as [ChainEnd];
    const siblings = siblingsOf(treeKeyOf(alice), leaves, 0);
    expect(provesChain(head, alice, end, siblings)).toBe(true);
    expect(provesChain(head, alice, { ...end, length: 2 }, siblings)).toBe(false);
    expect(provesChain(head, bob, end, siblings)).toBe(false);
  });

  it("is read back as it was written, however many entries", () => {
    const entries = Array.from({ length: 5 }, (_, index) => entry(index));
    expect(decodeKeyLogEntries(concatBytes(entries.map(encodeKeyLogEntry)))).toEqual(entries);
  });
});

describe("a head", () => {
  it("continues every earlier one by a way that grows with the logarithm", () => {
    const heads = logOf(300);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (a, b) => {
        const [older, newer] = [Math.min(a, b), Math.max(a, b)];
        if (older === newer) return;
        const way = epochsBetween(newer, older);
        expect(way.length).toBeLessThan(3 * Math.log2(300));
        const between = way.map((epoch) => heads[epoch - 1] as Signed<KeyLogHead>);
        expect(continues(heads[newer - 1] as Signed<KeyLogHead>, between, heads[older - 1] as Signed<KeyLogHead>)).toBe(
          true,
        );
      }),
    );
    for (const older of [1, 2, 31_000, 524_288, 999_998]) {
      expect(epochsBetween(1_000_000, older).length).toBeLessThan(60);
    }
  });

  it("does not continue the head of another log, nor one with a step left out", () => {
    const [heads, others] = [logOf(20), logOf(20, 7)];
    const at = (list: Signed<KeyLogHead>[], epoch: number) => list[epoch - 1] as Signed<KeyLogHead>;
    const way = epochsBetween(19, 5);
    expect(
      continues(
        at(heads, 19),
        way.map((epoch) => at(heads, epoch)),
        at(others, 5),
      ),
    ).toBe(false);
    expect(
      continues(
        at(heads, 19),
        way.slice(1).map((epoch) => at(heads, epoch)),
        at(heads, 5),
      ),
    ).toBe(false);
    expect(
      continues(
        at(others, 19),
        way.map((epoch) => at(heads, epoch)),
        at(heads, 5),
      ),
    ).toBe(false);
  });

  it("is believed with the network's signature alone", () => {
    const [head] = logOf(1) as [Signed<KeyLogHead>];
    expect(trustKeyLogHead(anchor, head.bytes).value.epoch).toBe(1);
    const forged = signBody(nodeSignatures, "keyLogHead", head.body, signingKeyPair().secretKey);
    expect(() => trustKeyLogHead(anchor, forged)).toThrow(expect.objectContaining({ code: "signature-invalid" }));
    const otherwise = signBody(nodeSignatures, "supernodeList", head.body, network.secretKey);
    expect(() => trustKeyLogHead(anchor, otherwise)).toThrow(expect.objectContaining({ code: "signature-invalid" }));
  });
});

describe("the revocation list", () => {
  const list = { networkId, revision: 3, issuedAt: 9, serials: [4, 8, 1_000_000_000_000] };
  const sign = (value: typeof list) =>
    signBody(nodeSignatures, "revocationList", encodeRevocationList(value), network.secretKey);

  it("is read back as it was written, if the network has signed it", () => {
    expect(trustRevocationList(anchor, sign(list)).value).toEqual(list);
    const elsewhere = trustAnchor(signingKeyPair().publicKey, () => 0);
    expect(() => trustRevocationList(elsewhere, sign(list))).toThrow(expect.objectContaining({ code: "malformed" }));
  });

  it("is refused with serials out of order or twice", () => {
    for (const serials of [
      [8, 4],
      [4, 4],
    ]) {
      expect(() => decodeRevocationList(sign({ ...list, serials }))).toThrow(
        expect.objectContaining({ code: "malformed" }),
      );
    }
  });
});

it("whatever arrives instead of a head, entries or a revocation list is refused by its code", () => {
  const decoders = [decodeKeyLogHead, decodeKeyLogEntries, decodeRevocationList];
  const [head] = logOf(1) as [Signed<KeyLogHead>];
  const samples = [head.bytes, encodeKeyLogEntry(entry(1)), new Uint8Array(300)];
  fc.assert(
    fc.property(
      fc.constantFrom(...decoders),
      fc.constantFrom(...samples),
      fc.uint8Array({ maxLength: 400 }),
      fc.nat(),
      (decode, sample, noise, at) => {
        const input =
          at % 3 === 0 ? noise : Uint8Array.from([...sample.subarray(0, at % (sample.length + 1)), ...noise]);
        try {
          decode(input);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(malformed|too-large)$/) });
        }
      },
    ),
    { numRuns: 3_000 },
  );
});
