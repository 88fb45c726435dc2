/**
 * An account's secret keys. They are made on a device and leave it only inside the vault:
 * sealed under a key that follows from the password and that the login server never learns.
 */
import nacl from "tweetnacl";
import { concatBytes, equalBytes } from "../../protocol/bytes.ts";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import { VAULT_BYTES } from "../../protocol/login-api.ts";
import { nodeSignatures, sha256, userIdOf } from "../../protocol/node-crypto.ts";
import { type SignatureScheme, statement } from "../../protocol/signed.ts";
import type { RandomBytes } from "../core/randomness.ts";

const SEED_BYTES = 32;

/** What has to be kept to have the account. */
export interface AccountSecrets {
  readonly signSeed: Uint8Array;
  readonly boxSecret: Uint8Array;
  /** Seals what buddies may see: the status. */
  readonly profileKey: Uint8Array;
}

export interface AccountKeys extends AccountSecrets {
  readonly userId: UserId;
  /** Ed25519 */
  readonly sign: nacl.SignKeyPair;
  /** X25519 */
  readonly box: nacl.BoxKeyPair;
  /** The signing key's signature over the sealing key. */
  readonly keyBinding: Uint8Array;
}

/** Signs with tweetnacl; checks with node:crypto, which takes a hundredth of the time for the same answer. */
export const appSignatures: SignatureScheme = {
  sign: (message, secretKey) => nacl.sign.detached(message, secretKey),
  verify: nodeSignatures.verify,
};

export function newAccountSecrets(random: RandomBytes): AccountSecrets {
  return { signSeed: random(SEED_BYTES), boxSecret: random(SEED_BYTES), profileKey: random(SEED_BYTES) };
}

export function accountKeys(secrets: AccountSecrets): AccountKeys {
  const sign = nacl.sign.keyPair.fromSeed(secrets.signSeed);
  const box = nacl.box.keyPair.fromSecretKey(secrets.boxSecret);
  const keyBinding = nacl.sign.detached(statement("keyBinding", box.publicKey), sign.secretKey);
  return { ...secrets, userId: userIdOf(sign.publicKey), sign, box, keyBinding };
}

/** @param exportKey OPAQUE's, 64 bytes */
export function sealVault(secrets: AccountSecrets, exportKey: Uint8Array, random: RandomBytes): Uint8Array {
  const nonce = random(nacl.secretbox.nonceLength);
  const plain = concatBytes([secrets.signSeed, secrets.boxSecret, secrets.profileKey]);
  return concatBytes([nonce, nacl.secretbox(plain, nonce, vaultKey(exportKey))]);
}

/** @throws KithError `vault-malformed` */
export function openVault(vault: Uint8Array, exportKey: Uint8Array): AccountSecrets {
  const nonce = vault.subarray(0, nacl.secretbox.nonceLength);
  const plain =
    vault.length === VAULT_BYTES
      ? nacl.secretbox.open(vault.subarray(nacl.secretbox.nonceLength), nonce, vaultKey(exportKey))
      : null;
  if (!plain) throw new KithError("vault-malformed");
  return {
    signSeed: plain.slice(0, SEED_BYTES),
    boxSecret: plain.slice(SEED_BYTES, 2 * SEED_BYTES),
    profileKey: plain.slice(2 * SEED_BYTES),
  };
}

/** Whether the certificate speaks of these keys. */
export function certifies(certificate: UserCertificate, keys: AccountKeys): boolean {
  return (
    certificate.userId === keys.userId &&
    equalBytes(certificate.signKey, keys.sign.publicKey) &&
    equalBytes(certificate.boxKey, keys.box.publicKey)
  );
}

function vaultKey(exportKey: Uint8Array): Uint8Array {
  return sha256(exportKey);
}
