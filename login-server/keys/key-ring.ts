/**
 * The keys that this login server signs with: the first one and those that have followed, as the
 * database tells. A key's secret half is in the keys file of the instance that made it; for the
 * others it lies in the database, sealed under the key before, unless that one was stolen, and until that one is over.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import { concatBytes, utf8 } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { decodeSuccession } from "../../protocol/network-key.ts";
import {
  endOf,
  firstChain,
  follow,
  keyAt,
  type NetworkKeyChain,
  newestFingerprint,
  placeAt,
} from "../../protocol/network-key-chain.ts";
import { networkIdOf, type SigningKeyPair, sha256, signingKeyPair } from "../../protocol/node-crypto.ts";
import type { OpenData } from "../data-folder.ts";
import type { Schema } from "../storage/schema.ts";
import type { NetworkKeys } from "./network-keys.ts";

const SEED_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class KeyRing {
  readonly #pairs: Map<NetworkId, SigningKeyPair>;
  readonly #keep: OpenData["keepSuccessor"];
  #chain: NetworkKeyChain;
  /** Keys whose successors lie in the database no longer. */
  #forgotten = 0;

  /**
   * Of a network that still has its first key, until `load` says otherwise.
   * @param keep writes a key that another instance has made into this one's keys file
   */
  constructor(keys: NetworkKeys, keep: OpenData["keepSuccessor"] = () => undefined) {
    this.#keep = keep;
    this.#chain = firstChain(keys.signing.publicKey);
    this.#pairs = new Map([keys.signing, ...keys.successors].map((pair) => [networkIdOf(pair.publicKey), pair]));
  }

  get chain(): NetworkKeyChain {
    return this.#chain;
  }

  /** What a person compares, or a link names: of the newest key, announced or in use. */
  get fingerprint(): NetworkId {
    return newestFingerprint(this.#chain);
  }

  /** A key pair that was made here and is on the disk. */
  add(pair: SigningKeyPair): void {
    this.#pairs.set(networkIdOf(pair.publicKey), pair);
  }

  /**
   * Takes over what the database knows.
   * @returns whether there is a key that was not known here
   * @throws KithError `data-corrupt` where it does not fit this network
   */
  async load(db: Kysely<Schema>, now: number): Promise<boolean> {
    const rows = await db.selectFrom("network_keys").selectAll().orderBy("number").execute();
    if (rows.length <= this.#chain.successions.length) return false;
    const successions = rows.map(({ succession }) => decodeSuccession(new Uint8Array(succession)));
    for (const [index, { value }] of successions.entries()) {
      const sealed = rows[index]?.sealed_seed;
      const before = this.#pairs.get(networkIdOf(successions[index - 1]?.value.key ?? this.#chain.firstKey));
      if (!sealed || !before || this.#pairs.has(networkIdOf(value.key))) continue;
      const seed = openSeed(new Uint8Array(sealed), before);
      this.#keep(seed);
      this.add(signingKeyPair(seed));
    }
    // Whoever runs the network has no need to ask anybody whether its newest key is.
    const newest = networkIdOf(successions.at(-1)?.value.key ?? this.#chain.firstKey);
    const followed = follow(this.#chain, successions, now, newest);
    if (followed.kind !== "followed") throw new KithError("data-corrupt", { path: "network_keys" });
    this.#chain = followed.chain;
    return true;
  }

  /** Whoever has an old key shall not find the present one in the database: by the old one's end every instance has had it. */
  async forgetSealed(db: Kysely<Schema>, now: number): Promise<void> {
    const { length } = this.#chain.successions.filter((_, place) => endOf(this.#chain, place) <= now);
    if (length <= this.#forgotten) return;
    await db
      .updateTable("network_keys")
      .set({ sealed_seed: null })
      .where("number", "<=", length)
      .where("sealed_seed", "is not", null)
      .execute();
    this.#forgotten = length;
  }

  /** @throws KithError `network-key-missing` */
  pairAt(time: number): SigningKeyPair {
    const place = placeAt(this.#chain, time);
    const pair = this.#pairs.get(networkIdOf(keyAt(this.#chain, place)));
    if (!pair) throw new KithError("network-key-missing", { number: place + 1 });
    return pair;
  }
}

/** For the other instances, which have the key before. */
export function sealSeed(seed: Uint8Array, before: SigningKeyPair): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("chacha20-poly1305", handOverKey(before), nonce, { authTagLength: TAG_BYTES });
  return concatBytes([nonce, cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
}

/** @throws KithError `data-corrupt` */
function openSeed(sealed: Uint8Array, before: SigningKeyPair): Uint8Array {
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const end = NONCE_BYTES + SEED_BYTES;
    const decipher = createDecipheriv("chacha20-poly1305", handOverKey(before), nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(end));
    return concatBytes([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch (error) {
    throw new KithError("data-corrupt", { path: "network_keys" }, { cause: error });
  }
}

function handOverKey(before: SigningKeyPair): Uint8Array {
  return sha256(concatBytes([utf8("kith network key hand-over 1\0"), before.secretKey.subarray(0, SEED_BYTES)]));
}
