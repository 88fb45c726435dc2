/** What somebody calls a buddy and sorts them under: sealed for their own devices, so that the login server does not read it. */
import nacl from "tweetnacl";
import { z } from "zod";
import { concatBytes, utf8 } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { sha256 } from "../../protocol/node-crypto.ts";
import type { AccountSecrets } from "../account/account-keys.ts";
import type { RandomBytes } from "../core/randomness.ts";

export const BuddyLabel = z.object({ alias: z.string().max(64), groups: z.array(z.string().max(64)).max(8) });
export type BuddyLabel = z.infer<typeof BuddyLabel>;
export const NO_LABEL: BuddyLabel = { alias: "", groups: [] };

const decoder = new TextDecoder("utf-8", { fatal: true });

/** @returns empty for no alias and no groups. @throws KithError `too-large` */
export function sealLabel(label: BuddyLabel, secrets: AccountSecrets, random: RandomBytes): Uint8Array {
  if (label.alias === "" && label.groups.length === 0) return new Uint8Array();
  const nonce = random(nacl.secretbox.nonceLength);
  const sealed = concatBytes([nonce, nacl.secretbox(utf8(JSON.stringify(label)), nonce, keyOf(secrets))]);
  if (sealed.length > LIMITS.maxBuddyLabelBytes) {
    throw new KithError("too-large", { what: "Alias and groups", limit: `${LIMITS.maxBuddyLabelBytes} bytes` });
  }
  return sealed;
}

/** One that does not open, or is no label, is none: the login server may have written anything there. */
export function openLabel(sealed: Uint8Array, secrets: AccountSecrets): BuddyLabel {
  const { nonceLength } = nacl.secretbox;
  if (sealed.length <= nonceLength) return NO_LABEL;
  const plain = nacl.secretbox.open(sealed.subarray(nonceLength), sealed.subarray(0, nonceLength), keyOf(secrets));
  if (!plain) return NO_LABEL;
  try {
    return BuddyLabel.parse(JSON.parse(decoder.decode(plain)));
  } catch {
    return NO_LABEL;
  }
}

function keyOf({ signSeed }: AccountSecrets): Uint8Array {
  return sha256(concatBytes([utf8("kith buddy label 1\0"), signSeed]));
}
