import nacl from "tweetnacl";
import { expect, test } from "vitest";
import { toHex } from "../../protocol/bytes.ts";
import { encodeUserCertificate, type UserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import { DeviceId, Handle } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { nodeSignatures, signingKeyPair, userIdOf } from "../../protocol/node-crypto.ts";
import { signBody, statement } from "../../protocol/signed.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";

const NOW = Date.UTC(2026, 10, 1);
const network = signingKeyPair();
const anchor = trustAnchor(network.publicKey, () => NOW);
const account = signingKeyPair();
const box = nacl.box.keyPair();

function certificate(change: Partial<UserCertificate> = {}): UserCertificate {
  return {
    networkId: anchor.networkId,
    handle: Handle.parse("alice"),
    userId: userIdOf(account.publicKey),
    signKey: account.publicKey,
    boxKey: box.publicKey,
    keyBinding: nodeSignatures.sign(statement("keyBinding", box.publicKey), account.secretKey),
    deviceId: DeviceId.parse("0".repeat(32)),
    serial: 1,
    issuedAt: NOW - 1,
    expiresAt: NOW + TIMES.userCertificateMs,
    ...change,
  };
}
const issue = (change?: Partial<UserCertificate>, secretKey = network.secretKey) =>
  signBody(nodeSignatures, "userCertificate", encodeUserCertificate(certificate(change)), secretKey);
const refusal = (bytes: Uint8Array) => {
  try {
    trustUserCertificate(anchor, bytes);
    return "trusted";
  } catch (error) {
    return KithError.from(error).code;
  }
};

test("a certificate of this network is trusted and survives the journey", () => {
  const trusted = trustUserCertificate(anchor, issue());
  expect(trusted.value).toEqual(certificate());
});

test("tweetnacl and node:crypto make and take the same signatures and keys", () => {
  const message = nacl.randomBytes(100);
  const signature = nodeSignatures.sign(message, account.secretKey);
  expect(toHex(nacl.sign.detached(message, account.secretKey))).toBe(toHex(signature));
  expect(nacl.sign.detached.verify(message, signature, account.publicKey)).toBe(true);
  const seed = account.secretKey.subarray(0, 32);
  expect(toHex(nacl.sign.keyPair.fromSeed(seed).secretKey)).toBe(toHex(account.secretKey));
});

test("every changed bit is noticed", () => {
  const genuine = issue();
  for (let at = 0; at < genuine.length; at++) {
    const altered = Uint8Array.from(genuine);
    altered[at] = (altered[at] as number) ^ 1;
    expect(refusal(altered)).not.toBe("trusted");
  }
});

test("another network's certificate is forged here", () => {
  const other = signingKeyPair();
  expect(refusal(issue({}, other.secretKey))).toBe("certificate-forged");
  expect(refusal(issue({ networkId: trustAnchor(other.publicKey, () => NOW).networkId }))).toBe("certificate-forged");
});

test("an expired one and one from the future are told apart", () => {
  expect(refusal(issue({ expiresAt: NOW }))).toBe("certificate-expired");
  expect(refusal(issue({ issuedAt: NOW + TIMES.maxClockSkewMs + 1 }))).toBe("clock-skew");
  expect(refusal(issue({ issuedAt: NOW + TIMES.maxClockSkewMs }))).toBe("trusted");
});

test("a login server cannot exchange the sealing key of an account", () => {
  expect(refusal(issue({ boxKey: nacl.box.keyPair().publicKey }))).toBe("certificate-forged");
});

test("a login server cannot give an account's user ID to another key", () => {
  const mallory = signingKeyPair();
  const keyBinding = nodeSignatures.sign(statement("keyBinding", box.publicKey), mallory.secretKey);
  expect(refusal(issue({ signKey: mallory.publicKey, keyBinding }))).toBe("certificate-forged");
});
