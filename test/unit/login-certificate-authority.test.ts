import { expect, test } from "vitest";
import { CertificateAuthority, isPastHalfLife } from "../../login-server/keys/certificate-authority.ts";
import { encodeUserCertificate } from "../../protocol/certificate.ts";
import { networkIdOf, nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { signBody } from "../../protocol/signed.ts";
import { newUser } from "../support/login-api-client.ts";

const signing = signingKeyPair();
const networkId = networkIdOf(signing.publicKey);
const authority = new CertificateAuthority(
  { networkId, signing, successors: [], opaqueSetup: "", enrolmentToken: "" },
  () => 1_000,
);
const { userId, handle, sign, box, deviceId } = newUser("alice");
const subject = {
  userId,
  handle,
  signKey: sign.publicKey,
  boxKey: box.publicKey,
  keyBinding: new Uint8Array(64),
  deviceId,
  serial: 1,
};
const forged = expect.objectContaining({ code: "certificate-forged" });

test("it recognises what it has issued, expired or not", () => {
  const { bytes, issuedAt, expiresAt } = authority.issueUser(subject);
  expect([issuedAt, expiresAt]).toEqual([1_000, 1_000 + 30 * 24 * 3_600_000]);
  expect(authority.recogniseUser(bytes).value).toMatchObject({ handle, userId, deviceId, serial: 1 });
  const later = new CertificateAuthority(
    { networkId, signing, successors: [], opaqueSetup: "", enrolmentToken: "" },
    () => 1e13,
  );
  expect(later.recogniseUser(bytes).value.serial).toBe(1);
});

test("a certificate that names another network is not its own, even under its own signature", () => {
  const other = networkIdOf(signingKeyPair().publicKey);
  const body = encodeUserCertificate({ ...subject, networkId: other, issuedAt: 1_000, expiresAt: 2_000 });
  const bytes = signBody(nodeSignatures, "userCertificate", body, signing.secretKey);
  expect(() => authority.recogniseUser(bytes)).toThrow(forged);
});

test("a signature of the network key over another kind of statement makes no certificate", () => {
  const body = authority.issueUser(subject).bytes.subarray(0, -64);
  for (const domain of ["supernodeCertificate", "supernodeList"] as const) {
    expect(() => authority.recogniseUser(signBody(nodeSignatures, domain, body, signing.secretKey))).toThrow(forged);
  }
});

test("half-life is the middle of the validity", () => {
  const validity = { issuedAt: 1_000, expiresAt: 2_000 };
  expect([1_499, 1_500, 2_500].map((now) => isPastHalfLife(validity, now))).toEqual([false, true, true]);
});
