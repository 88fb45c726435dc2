import { expect, test } from "vitest";
import {
  accountKeys,
  appSignatures,
  certifies,
  newAccountSecrets,
  openVault,
  sealVault,
} from "../../main/account/account-keys.ts";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { VAULT_BYTES } from "../../protocol/login-api.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { requireAccountKeys } from "../../protocol/trust.ts";
import { random } from "../support/test-account.ts";

const malformed = expect.objectContaining({ code: "vault-malformed" });

test("a vault gives the same keys back, to the same export key only", () => {
  const secrets = newAccountSecrets(random);
  const exportKey = random(64);
  const vault = sealVault(secrets, exportKey, random);
  expect(vault).toHaveLength(VAULT_BYTES);
  expect(openVault(vault, exportKey)).toEqual(secrets);
  expect(accountKeys(openVault(vault, exportKey)).userId).toBe(accountKeys(secrets).userId);
  expect(() => openVault(vault, random(64))).toThrow(malformed);
});

test("a vault that was altered or cut anywhere does not open", () => {
  const exportKey = random(64);
  const vault = sealVault(newAccountSecrets(random), exportKey, random);
  for (let index = 0; index < vault.length; index++) {
    const altered = Uint8Array.from(vault);
    altered[index] = (altered[index] ?? 0) ^ 0x80;
    expect(() => openVault(altered, exportKey)).toThrow(malformed);
    expect(() => openVault(vault.subarray(0, index), exportKey)).toThrow(malformed);
  }
});

test("nothing of the keys can be read from a vault", () => {
  const secrets = newAccountSecrets(random);
  const vault = Buffer.from(sealVault(secrets, random(64), random));
  for (const secret of Object.values(secrets)) expect(vault.includes(secret.subarray(0, 8))).toBe(false);
});

test("an account's keys vouch for each other, and a swapped sealing key is noticed", () => {
  const keys = accountKeys(newAccountSecrets(random));
  const other = accountKeys(newAccountSecrets(random));
  const { userId, keyBinding } = keys;
  const published = { userId, keyBinding, signKey: keys.sign.publicKey, boxKey: keys.box.publicKey };
  requireAccountKeys(published);
  expect(() => requireAccountKeys({ ...published, boxKey: other.box.publicKey })).toThrow();
  expect(() => requireAccountKeys({ ...published, userId: other.userId })).toThrow();
  expect(certifies(published as UserCertificate, keys)).toBe(true);
  expect(certifies({ ...published, boxKey: other.box.publicKey } as UserCertificate, keys)).toBe(false);
});

test("tweetnacl's signatures and node:crypto's are the same", () => {
  const { sign } = accountKeys(newAccountSecrets(random));
  const message = random(200);
  expect(appSignatures.sign(message, sign.secretKey)).toEqual(nodeSignatures.sign(message, sign.secretKey));
});
