/**
 * Signatures that prove nothing and cost nothing, for simulations: real ones would be most
 * of the work, and nobody in a simulation forges. A wrong key or altered bytes still fail.
 */
import type { SignatureScheme } from "../../protocol/signed.ts";

export const cheapSignatures: SignatureScheme = {
  sign: (message, secretKey) => stamp(message, secretKey.subarray(32)),
  verify(message, signature, publicKey) {
    const expected = hash(message, publicKey);
    return signature[0] === (expected & 0xff) && signature[63] === expected >>> 24;
  },
};

/** In tweetnacl's format: the public key is the second half of the secret one. */
export function cheapKeyPair(random: () => number): { publicKey: Uint8Array; secretKey: Uint8Array } {
  const secretKey = Uint8Array.from({ length: 64 }, () => Math.floor(random() * 256));
  return { publicKey: secretKey.subarray(32), secretKey };
}

function stamp(message: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const value = hash(message, publicKey);
  const signature = new Uint8Array(64);
  signature[0] = value & 0xff;
  signature[63] = value >>> 24;
  return signature;
}

/** FNV-1a (Fowler, Noll, Vo). */
function hash(message: Uint8Array, key: Uint8Array): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < 8; index++) value = Math.imul(value ^ (key[index] as number), 0x01000193);
  for (let index = 0; index < message.length; index++) {
    value = Math.imul(value ^ (message[index] as number), 0x01000193);
  }
  return value >>> 0;
}
