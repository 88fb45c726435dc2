/**
 * The recovery key: what its owner keeps on paper for the day when the password is forgotten. It seals the account's
 * secrets a second time and proves itself by a signature, so that the login server learns neither it nor them.
 */
import { hkdfSync } from "node:crypto";
import nacl from "tweetnacl";
import { concatBytes, equalBytes, fromHex, utf8 } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Handle, NetworkId } from "../../protocol/identifiers.ts";
import { sha256 } from "../../protocol/node-crypto.ts";
import type { RandomBytes } from "../core/randomness.ts";

/** 136 bits: nobody guesses them, and with the check they fill 32 characters exactly. */
const SECRET_BYTES = 17;
const CHECK_BYTES = 3;
/** Crockford's base 32: no I, L, O or U, so that nothing on paper is read as something else. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = ((SECRET_BYTES + CHECK_BYTES) * 8) / 5;
const GROUP = 4;

/** Opened into what it is good for, for one account of one network. */
export interface OpenedRecoveryKey {
  readonly sign: nacl.SignKeyPair;
  /** Seals the vault, as OPAQUE's export key does. */
  readonly sealKey: Uint8Array;
}

/** A fresh one, as it is printed: `XXXX-XXXX-…`, eight groups. */
export function newRecoveryKey(random: RandomBytes): string {
  const secret = random(SECRET_BYTES);
  const characters = toBase32(concatBytes([secret, checkOf(secret)]));
  return characters.match(new RegExp(`.{${GROUP}}`, "g"))?.join("-") ?? characters;
}

/**
 * What was typed off the paper; spaces, hyphens and small letters are forgiven, and I, L and O are read as 1, 1 and 0.
 * @throws KithError `recovery-key-malformed`
 */
export function openRecoveryKey(typed: string, networkId: NetworkId, handle: Handle): OpenedRecoveryKey {
  const characters = typed.toUpperCase().replace(/[\s-]/g, "").replace(/[IL]/g, "1").replace(/O/g, "0");
  const bytes = fromBase32(characters);
  const secret = bytes?.subarray(0, SECRET_BYTES);
  if (!bytes || !secret || !equalBytes(bytes.subarray(SECRET_BYTES), checkOf(secret))) {
    throw new KithError("recovery-key-malformed", { count: LENGTH });
  }
  // RFC 5869. Bound to the account: the same paper could open no other one, whoever asks.
  const derive = (use: string) => {
    const info = concatBytes([utf8(`kith recovery 1 ${use}\0`), fromHex(networkId), utf8(handle)]);
    return new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(), info, 32));
  };
  return { sign: nacl.sign.keyPair.fromSeed(derive("sign")), sealKey: derive("seal") };
}

function checkOf(secret: Uint8Array): Uint8Array {
  return sha256(concatBytes([utf8("kith recovery key check 1\0"), secret])).subarray(0, CHECK_BYTES);
}

function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((group) => ALPHABET[Number.parseInt(group, 2)]).join("");
}

function fromBase32(text: string): Uint8Array | null {
  if (text.length !== LENGTH) return null;
  const values = [...text].map((character) => ALPHABET.indexOf(character));
  if (values.includes(-1)) return null;
  const bits = values.map((value) => value.toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}
