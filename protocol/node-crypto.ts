/**
 * Ed25519 and SHA-256 by node:crypto, in tweetnacl's formats. More than 100 times as fast
 * as tweetnacl at checking signatures; the three Node processes share this file.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { concatBytes, toHex, utf8 } from "./bytes.ts";
import { NETWORK_ID_BYTES, NetworkId, SIGN_KEY_BYTES, SIGNATURE_BYTES, USER_ID_BYTES, UserId } from "./identifiers.ts";
import { SignatureMemory } from "./signature-memory.ts";
import type { SignatureScheme } from "./signed.ts";

// DER prefixes of RFC 8410: SubjectPublicKeyInfo and PKCS #8 for Ed25519, up to the raw key.
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * A public key as its 32 bytes. By way of a JSON Web Key (RFC 8037), for OpenSSL takes that as it is; its
 * decoder for DER costs eight times as much, as much as checking a signature.
 */
export function importRawKey(curve: "Ed25519" | "X25519", raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: curve, x }, format: "jwk" });
}

/** The latest are kept: 2 kB each. */
const KEY_CACHE_SIZE = 500;
const publicKeys = new Map<string, KeyObject>();

function importPublicKey(raw: Uint8Array): KeyObject {
  const name = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString("latin1");
  const cached = publicKeys.get(name);
  if (cached) return cached;
  const key = importRawKey("Ed25519", raw);
  if (publicKeys.size >= KEY_CACHE_SIZE) {
    const oldest = publicKeys.keys().next();
    if (!oldest.done) publicKeys.delete(oldest.value);
  }
  publicKeys.set(name, key);
  return key;
}

/** A process signs with few keys, each kept in one place: gone with it. */
const privateKeys = new WeakMap<Uint8Array, KeyObject>();

function importPrivateKey(raw: Uint8Array): KeyObject {
  const known = privateKeys.get(raw);
  if (known) return known;
  const der = Buffer.concat([PKCS8_PREFIX, raw.subarray(0, 32)]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  privateKeys.set(raw, key);
  return key;
}

const verified = new SignatureMemory();

export const nodeSignatures: SignatureScheme = {
  sign(message, secretKey) {
    return new Uint8Array(sign(null, message, importPrivateKey(secretKey)));
  },
  verify(message, signature, publicKey) {
    if (publicKey.length !== SIGN_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
    const name = verified.nameOf(message, signature, publicKey);
    if (verified.has(name)) return true;
    try {
      if (!verify(null, message, importPublicKey(publicKey), signature)) return false;
    } catch {
      return false;
    }
    verified.add(name);
    return true;
  },
};

/** What a check costs the first time is a benchmark's question. */
export function forgetSignatures(): void {
  verified.clear();
}

/** A signing key pair in tweetnacl's format. */
export interface SigningKeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** @param seed 32 bytes, kept secret; a fresh random one makes a fresh pair. */
export function signingKeyPair(seed: Uint8Array = randomBytes(32)): SigningKeyPair {
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const spki = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" })).export({
    format: "der",
    type: "spki",
  });
  const publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.length));
  return { publicKey, secretKey: concatBytes([seed, publicKey]) };
}

export function sha256(bytes: Uint8Array): Uint8Array {
  // In one go: twice as fast as a Hash object, and nothing for the garbage collector.
  return new Uint8Array(hash("sha256", bytes, "buffer"));
}

/** The user ID that an account's signing key fixes. */
export function userIdOf(signKey: Uint8Array): UserId {
  return UserId.parse(toHex(sha256(concatBytes([utf8("kith user 1\0"), signKey])).subarray(0, USER_ID_BYTES)));
}

/** The network ID that a network's signing key fixes. */
export function networkIdOf(networkKey: Uint8Array): NetworkId {
  return NetworkId.parse(
    toHex(sha256(concatBytes([utf8("kith network 1\0"), networkKey])).subarray(0, NETWORK_ID_BYTES)),
  );
}
