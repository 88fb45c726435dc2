/** A status as it travels: sealed with the account's profile key, so that only buddies can read it. */
import nacl from "tweetnacl";
import { concatBytes, utf8 } from "../../protocol/bytes.ts";
import { SealedStatus } from "../../protocol/presence.ts";
import type { RandomBytes } from "../core/randomness.ts";

export function sealStatus(status: SealedStatus, profileKey: Uint8Array, random: RandomBytes): Uint8Array {
  const nonce = random(nacl.secretbox.nonceLength);
  return concatBytes([nonce, nacl.secretbox(utf8(JSON.stringify(status)), nonce, profileKey)]);
}

/** @returns null for one that this key does not open, or that says nothing valid */
export function openStatus(sealed: Uint8Array, profileKey: Uint8Array): SealedStatus | null {
  const nonceLength = nacl.secretbox.nonceLength;
  if (sealed.length <= nonceLength) return null;
  const plain = nacl.secretbox.open(
    new Uint8Array(sealed.subarray(nonceLength)),
    new Uint8Array(sealed.subarray(0, nonceLength)),
    profileKey,
  );
  if (!plain) return null;
  try {
    return SealedStatus.parse(JSON.parse(new TextDecoder().decode(plain)));
  } catch {
    return null;
  }
}
