/** Gossip on the wire: what is encoded is decoded, and nothing else is. FUZZ_RUNS asks for more rubbish. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import type { GossipItem } from "../../protocol/gossip-item.ts";
import {
  decodeGossipMessage,
  encodeGossipMessage,
  type GossipMessage,
  MAX_ITEMS_BYTES,
  messageBytes,
} from "../../protocol/gossip-message.ts";
import {
  decodeGossipPacket,
  encodeHello,
  encodeSealed,
  HELLO_BYTES,
  isGossipPacket,
  MAX_GOSSIP_MESSAGE_BYTES,
  MAX_GOSSIP_PACKET_BYTES,
} from "../../protocol/gossip-packet.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { decodeMembers, encodeMembers } from "../../relay/membership/member-file.ts";
import { PacketSeal } from "../../relay/membership/packet-seal.ts";
import { GossipActor } from "../support/gossip-actor.ts";
import { TestAuthority } from "../support/test-identities.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000);
const NOW = 1_800_000_000_000;
const authority = new TestAuthority(signingKeyPair(), () => NOW);
const [alice, bob, carol] = [new GossipActor(authority), new GossipActor(authority), new GossipActor(authority)];

const items: GossipItem[] = [
  alice.item(NOW, bob),
  { kind: "announcement", announcement: bob.announce(NOW + 1, { leaving: true }) },
  carol.suspicionOf(alice.id, NOW),
  { kind: "certificate", certificate: carol.certificate },
];
const messages: GossipMessage[] = [
  { type: "ping", nonce: 0xffffffff, items },
  { type: "ack", nonce: 0, items: [] },
  { type: "probe", nonce: 7, target: carol.id },
  { type: "nack", nonce: 8 },
  { type: "gossip", items },
  { type: "digest", hashes: Uint32Array.from({ length: 256 }, (_, at) => at * 16_777_259) },
  {
    type: "summary",
    ranges: [
      { from: 0, to: 0xffffff, members: [{ supernodeId: alice.id, incarnation: NOW }] },
      { from: 0xff000000, to: 0xffffffff, members: [] },
    ],
  },
  { type: "want", wanted: [{ supernodeId: alice.id, certificate: true }] },
  { type: "vouch", certificate: carol.certificate, announcement: carol.announce(NOW) },
  { type: "unreachable", subject: bob.id, by: "tcp" },
  { type: "reach" },
  { type: "reached", isReached: false },
];

/** Refused with a code, or decoded to what is encoded to the same bytes again. */
function isHarmless(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    return error instanceof KithError && (error.code === "malformed" || error.code === "too-large");
  }
}

/** A valid encoding with some bytes changed, cut off or added. */
const damaged = (originals: readonly Uint8Array[]) =>
  fc
    .record({
      original: fc.constantFrom(...originals),
      changes: fc.array(fc.record({ at: fc.nat(1_300), to: fc.nat(255) }), { maxLength: 6 }),
      keep: fc.nat(1_300),
      extra: fc.uint8Array({ maxLength: 20 }),
      isCut: fc.boolean(),
    })
    .map(({ original, changes, keep, extra, isCut }) => {
      const bytes = Uint8Array.from([...(isCut ? original.subarray(0, keep) : original), ...extra]);
      for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
      return bytes;
    });

describe("a gossip message", () => {
  it.each(messages)("of type $type survives the wire, and has the size that is reckoned with", (message) => {
    const encoded = encodeGossipMessage(message);
    expect(encoded).toHaveLength(messageBytes(message));
    expect(encodeGossipMessage(decodeGossipMessage(encoded))).toEqual(encoded);
  });

  it("full of items fits one packet", () => {
    const full: GossipMessage = { type: "ping", nonce: 1, items: [] };
    expect(messageBytes(full) + MAX_ITEMS_BYTES).toBe(MAX_GOSSIP_MESSAGE_BYTES);
  });

  it("that is rubbish, or nearly right, is refused as malformed and nothing worse", () => {
    const originals = messages.map(encodeGossipMessage);
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 1_200 }), damaged(originals)), (bytes) =>
        isHarmless((input) => {
          expect(encodeGossipMessage(decodeGossipMessage(input))).toEqual(Uint8Array.from(input));
        }, bytes),
      ),
      { numRuns: RUNS },
    );
  });
});

describe("a gossip packet", () => {
  const hello = alice.hello(NOW, { isMember: true });

  it("of any kind is told from STUN, ChannelData, DTLS and RTP by its first byte", () => {
    for (const packet of [encodeHello(hello), encodeSealed(alice.id, 1, new Uint8Array(3))]) {
      expect(isGossipPacket(packet)).toBe(true);
      expect(packet[0]).toBeGreaterThanOrEqual(192);
    }
  });

  it("with a hello says again what was said, padded when it asks and bare when it answers", () => {
    const asking = decodeGossipPacket(encodeHello(hello));
    expect(asking).toMatchObject({ kind: "hello", hello: { isAnswer: false, isMember: true } });
    expect(encodeHello(hello)).toHaveLength(HELLO_BYTES);
    const answer = encodeHello({ ...hello, isAnswer: true });
    expect(answer.length).toBeLessThan(HELLO_BYTES);
    expect(decodeGossipPacket(answer)).toMatchObject({ kind: "hello", hello: { isAnswer: true } });
  });

  it("with a hello whose padding is missing is refused: its answer could be longer than it is", () => {
    expect(() => decodeGossipPacket(encodeHello(hello).subarray(0, HELLO_BYTES - 1))).toThrow(KithError);
  });

  it("longer than a datagram may be is refused before it is parsed", () => {
    const bytes = new Uint8Array(MAX_GOSSIP_PACKET_BYTES + 1).fill(0xf1);
    expect(() => decodeGossipPacket(bytes)).toThrow(expect.objectContaining({ code: "too-large" }));
  });

  it("that is rubbish, or nearly right, is refused as malformed and nothing worse", () => {
    const originals = [
      encodeHello(hello),
      encodeHello({ ...hello, isAnswer: true }),
      encodeSealed(bob.id, 9, randomBytes(50)),
    ];
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 1_300 }), damaged(originals)), (bytes) =>
        isHarmless(decodeGossipPacket, bytes),
      ),
      { numRuns: RUNS },
    );
  });
});

describe("the seal of a packet", () => {
  const pair = () => ({ a: new PacketSeal(alice.id, alice.gossipKeys), b: new PacketSeal(bob.id, bob.gossipKeys) });
  const text = new TextEncoder().encode("are you there?");
  const sealedBy = (seal: PacketSeal, to = bob, key = bob.gossipKeys.publicKey) => {
    const packet = seal.seal(to.id, key, text);
    if (!packet) throw new Error("not sealed");
    return packet;
  };
  const opened = (seal: PacketSeal, bytes: Uint8Array, from = alice, key = from.gossipKeys.publicKey) => {
    const packet = decodeGossipPacket(bytes);
    if (packet.kind !== "sealed") throw new Error("not sealed");
    expect(packet.sender).toBe(from.id);
    return seal.open(packet, key);
  };

  it("opens for the recipient alone", () => {
    const { a, b } = pair();
    const packet = sealedBy(a);
    expect(opened(b, packet)).toBe("genuine");
    expect(opened(new PacketSeal(carol.id, carol.gossipKeys), packet)).toBe("forged");
  });

  it("breaks when any byte is changed", () => {
    const { a, b } = pair();
    const packet = sealedBy(a);
    for (let at = 22; at < packet.length; at++) {
      const changed = Uint8Array.from(packet);
      changed[at] = (changed[at] as number) ^ 1;
      expect(opened(b, changed)).toBe("forged");
    }
    expect(opened(b, packet)).toBe("genuine");
  });

  it("breaks when a packet is sent back to its sender in the recipient's name", () => {
    const { a } = pair();
    const reflected = Uint8Array.from(sealedBy(a));
    reflected.set(Buffer.from(bob.id, "hex"), 2);
    expect(opened(a, reflected, bob)).toBe("forged");
  });

  it("opens each packet once, in whatever order they come, but none that is 64 behind", () => {
    const { a, b } = pair();
    const packets = Array.from({ length: 200 }, () => sealedBy(a));
    const at = (index: number) => opened(b, packets[index] as Uint8Array);
    expect([at(5), at(3), at(5), at(4), at(3)]).toEqual(["genuine", "genuine", "replayed", "genuine", "replayed"]);
    expect(at(199)).toBe("genuine");
    expect([at(136), at(135), at(136)]).toEqual(["genuine", "replayed", "replayed"]);
    expect(packets.slice(137, 199).map((packet) => opened(b, packet))).toEqual(Array(62).fill("genuine"));
    expect(packets.slice(137, 199).map((packet) => opened(b, packet))).toEqual(Array(62).fill("replayed"));
  });

  it("does not open what was sealed before either side started again", () => {
    const { a } = pair();
    const packet = sealedBy(a);
    const again = new GossipActor(authority);
    expect(opened(new PacketSeal(bob.id, again.gossipKeys), packet)).toBe("forged");
    const { b } = pair();
    expect(opened(b, packet, alice, again.gossipKeys.publicKey)).toBe("forged");
  });

  it("is not made with a key whose secret everybody knows", () => {
    const { a } = pair();
    expect(a.seal(bob.id, new Uint8Array(32), text)).toBeNull();
  });

  it("is tried once with such a key, however many packets come in its name", () => {
    const { publicKey, privateKey } = bob.gossipKeys;
    let agreements = 0;
    const counting = {
      publicKey,
      get privateKey() {
        agreements++;
        return privateKey;
      },
    };
    const b = new PacketSeal(bob.id, counting);
    const packet = sealedBy(pair().a);
    for (let sent = 0; sent < 20; sent++) expect(opened(b, packet, alice, new Uint8Array(32))).toBe("forged");
    expect(agreements).toBe(1);
  });
});

describe("the members on disk", () => {
  it("are read again, without those whose certificate is over", () => {
    const old = new GossipActor(authority, { expiresAt: NOW + 1 });
    const remembered = [alice, bob, old].map((actor) => ({
      certificate: actor.certificate,
      item: actor.item(NOW, carol),
    }));
    const bytes = encodeMembers(remembered);
    expect(decodeMembers(bytes, NOW).map(({ certificate }) => certificate.value.supernodeId)).toEqual([
      alice.id,
      bob.id,
      old.id,
    ]);
    expect(decodeMembers(bytes, NOW + 2)).toHaveLength(2);
    expect(SupernodeId.safeParse(decodeMembers(bytes, NOW)[0]?.item.voucher.value.voucher).data).toBe(carol.id);
  });

  it("are nobody if the file is damaged", () => {
    const bytes = encodeMembers([{ certificate: alice.certificate, item: alice.item(NOW, carol) }]);
    fc.assert(
      fc.property(damaged([bytes]), (input) => {
        expect(() => decodeMembers(input, NOW)).not.toThrow();
      }),
      { numRuns: Math.ceil(RUNS / 10) },
    );
    expect(decodeMembers(bytes.subarray(0, 100), NOW)).toEqual([]);
  });
});
