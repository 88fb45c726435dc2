/**
 * Packets between two supernodes, authenticated by a key of the pair: X25519 (RFC 7748)
 * between the keys that both have announced, HKDF-SHA-256 (RFC 5869) for one key in each
 * direction, HMAC-SHA-256 cut to 16 bytes (RFC 2104) over each packet. Gossip is no
 * secret, so nothing is encrypted.
 *
 * Why not a signature on every packet: checking one costs 0.1 ms, so a few megabits of
 * forged packets would keep a core busy; checking a tag costs a thirtieth of that. Both
 * keys are new at every start, so packets of an earlier life cannot be replayed.
 */
import { createHmac, diffieHellman, generateKeyPairSync, hkdfSync, type KeyObject, timingSafeEqual } from "node:crypto";
import { concatBytes, equalBytes, fromHex, utf8 } from "../../protocol/bytes.ts";
import { encodeSealed, GOSSIP_TAG_BYTES, type GossipPacket } from "../../protocol/gossip-packet.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { importRawKey } from "../../protocol/node-crypto.ts";

/** Of the DER prefix of RFC 8410, SubjectPublicKeyInfo for X25519: the raw key follows. */
const SPKI_PREFIX_BYTES = 12;
const KEY_BYTES = 32;
/** Packets may overtake each other by so many (as in DTLS, RFC 6347, section 4.1.2.6). */
const WINDOW = 64;

export interface GossipKeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

export function newGossipKeyPair(): GossipKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const spki = publicKey.export({ format: "der", type: "spki" });
  return { publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX_BYTES)), privateKey };
}

interface Pair {
  readonly sendKey: Buffer;
  readonly receiveKey: Buffer;
  sent: number;
  highest: number;
  /** Bit n: the packet n below the highest was received. */
  received: bigint;
}

interface Agreement {
  readonly theirKey: Uint8Array;
  /** Null: it is no key. Remembered all the same: anybody can send packets in its name, and finding out is dear. */
  readonly pair: Pair | null;
}

type SealedPacket = Extract<GossipPacket, { kind: "sealed" }>;

export class PacketSeal {
  readonly #self: SupernodeId;
  readonly #keys: GossipKeyPair;
  /** Kept for good: who comes back with the key of before goes on counting where it was. */
  readonly #agreements = new Map<SupernodeId, Agreement>();

  constructor(self: SupernodeId, keys: GossipKeyPair) {
    this.#self = self;
    this.#keys = keys;
  }

  /** Null if the recipient's key is no key at all. */
  seal(to: SupernodeId, theirKey: Uint8Array, message: Uint8Array): Uint8Array | null {
    const pair = this.#pair(to, theirKey);
    if (!pair) return null;
    pair.sent++;
    const covered = encodeSealed(this.#self, pair.sent, message);
    return concatBytes([covered, tagOf(pair.sendKey, covered)]);
  }

  /** Whether the packet is by its sender, for us, and was not received before. */
  open(packet: SealedPacket, theirKey: Uint8Array): "genuine" | "forged" | "replayed" {
    const pair = this.#pair(packet.sender, theirKey);
    if (!pair || !timingSafeEqual(tagOf(pair.receiveKey, packet.covered), packet.tag)) return "forged";
    return isFirst(pair, packet.sequence) ? "genuine" : "replayed";
  }

  #pair(id: SupernodeId, theirKey: Uint8Array): Pair | null {
    const known = this.#agreements.get(id);
    if (known && equalBytes(known.theirKey, theirKey)) return known.pair;
    const pair = this.#agree(id, theirKey);
    this.#agreements.set(id, { theirKey, pair });
    return pair;
  }

  #agree(id: SupernodeId, theirKey: Uint8Array): Pair | null {
    let shared: Buffer;
    try {
      // Refuses keys of low order, whose secret everybody knows.
      shared = diffieHellman({ privateKey: this.#keys.privateKey, publicKey: importRawKey("X25519", theirKey) });
    } catch {
      return null;
    }
    const ours = concatBytes([fromHex(this.#self), this.#keys.publicKey]);
    const theirs = concatBytes([fromHex(id), theirKey]);
    return {
      sendKey: directionKey(shared, ours, theirs),
      receiveKey: directionKey(shared, theirs, ours),
      sent: 0,
      highest: 0,
      received: 0n,
    };
  }
}

function directionKey(shared: Buffer, from: Uint8Array, to: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", shared, utf8("kith gossip 1"), concatBytes([from, to]), KEY_BYTES));
}

function tagOf(key: Buffer, covered: Uint8Array): Buffer {
  return createHmac("sha256", key).update(covered).digest().subarray(0, GOSSIP_TAG_BYTES);
}

function isFirst(pair: Pair, sequence: number): boolean {
  const ahead = sequence - pair.highest;
  if (ahead > 0) {
    pair.received = ahead >= WINDOW ? 1n : BigInt.asUintN(WINDOW, (pair.received << BigInt(ahead)) | 1n);
    pair.highest = sequence;
    return true;
  }
  if (ahead <= -WINDOW) return false;
  const bit = 1n << BigInt(-ahead);
  if ((pair.received & bit) !== 0n) return false;
  pair.received |= bit;
  return true;
}
