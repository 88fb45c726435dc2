/**
 * Signatures that were right, so that none has to be checked twice: a supernode meets the same
 * certificate at every attachment of its owner, and the same lease from every holder.
 *
 * Whether a signature is right depends on nothing but key, message and signature, never on the
 * time or on who shows it: what is remembered can neither expire nor be revoked. Dates and
 * revocations are looked at elsewhere, each time. A stranger who fills this memory makes
 * others' signatures cost again what they would cost without it, and has had as many of their own
 * checked for that. Only right ones are kept, under the whole SHA-256 of all three: to pass
 * for one, a forgery would need its hash.
 */
import { createHash } from "node:crypto";

const HASH_BYTES = 32;
/** Certificate, key binding and lease of some ten thousand people with room to spare: 2 MB, of which the system gives what is used. */
const SLOTS = 65_536;

export class SignatureMemory {
  /** Each hash has one place, where the latest stays. A place that was never used holds the hash of nothing: zeros. */
  readonly #slots = new Uint8Array(SLOTS * HASH_BYTES);

  /** Names one check. Key and signature have fixed lengths, so no two checks have the same name. */
  nameOf(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): Buffer {
    return createHash("sha256").update(publicKey).update(signature).update(message).digest();
  }

  has(name: Buffer): boolean {
    const at = placeOf(name);
    return name.equals(this.#slots.subarray(at, at + HASH_BYTES));
  }

  add(name: Buffer): void {
    this.#slots.set(name, placeOf(name));
  }

  clear(): void {
    this.#slots.fill(0);
  }
}

function placeOf(name: Buffer): number {
  return (name.readUInt32LE(0) % SLOTS) * HASH_BYTES;
}
