/** Whom to believe: checks that turn a decoded certificate into a trusted one. */
import { equalBytes } from "./bytes.ts";
import {
  decodeSupernodeCertificate,
  decodeUserCertificate,
  type SupernodeCertificate,
  type UserCertificate,
} from "./certificate.ts";
import { KithError } from "./errors.ts";
import type { NetworkId } from "./identifiers.ts";
import { TIMES } from "./limits.ts";
import { type Followed, issuerAt, type NetworkKeyChain } from "./network-key-chain.ts";
import { nodeSignatures, userIdOf } from "./node-crypto.ts";
import { requireSignature, type Signed, statement } from "./signed.ts";
import { decodeSupernodeList, type SupernodeList } from "./supernode-list.ts";

/** What a party believes in: the keys of one network, and the present. */
export interface TrustAnchor {
  readonly networkId: NetworkId;
  readonly keys: NetworkKeyChain;
  /** ms since 1970. */
  now(): number;
  /** Somebody shows what leads to another key: as NetworkTrust.take, errors included. */
  learn(successions: Uint8Array): Followed["kind"];
}

/** @throws KithError `malformed`, `too-large`, `certificate-forged`, `certificate-expired`, `clock-skew` */
export function trustUserCertificate(anchor: TrustAnchor, bytes: Uint8Array): Signed<UserCertificate> {
  const certificate = decodeUserCertificate(bytes);
  requireIssuer(anchor, "userCertificate", certificate);
  requireCurrent(anchor, certificate.value);
  requireAccountKeys(certificate.value);
  return certificate;
}

/** @throws KithError `malformed`, `too-large`, `certificate-forged`, `certificate-expired`, `clock-skew` */
export function trustSupernodeCertificate(anchor: TrustAnchor, bytes: Uint8Array): Signed<SupernodeCertificate> {
  const certificate = decodeSupernodeCertificate(bytes);
  requireIssuer(anchor, "supernodeCertificate", certificate);
  requireCurrent(anchor, certificate.value);
  return certificate;
}

/** The list with its untrustworthy or expired entries left out. Errors as trustUserCertificate. */
export function trustSupernodeList(anchor: TrustAnchor, bytes: Uint8Array): Signed<SupernodeList> {
  const list = decodeSupernodeList(bytes);
  requireIssuer(anchor, "supernodeList", list);
  requireCurrent(anchor, list.value);
  const supernodes = list.value.supernodes.filter((entry) => isTrusted(anchor, entry.bytes));
  return { ...list, value: { ...list.value, supernodes } };
}

/** The user ID must follow from the signing key, and the signing key must vouch for the sealing key. */
export function requireAccountKeys(keys: Pick<UserCertificate, "userId" | "signKey" | "boxKey" | "keyBinding">): void {
  const bound = nodeSignatures.verify(statement("keyBinding", keys.boxKey), keys.keyBinding, keys.signKey);
  if (!bound || userIdOf(keys.signKey) !== keys.userId) throw new KithError("certificate-forged");
}

/** Whether these are the same account keys: the test of pinning. */
export function sameAccountKeys(
  a: Pick<UserCertificate, "signKey" | "boxKey">,
  b: Pick<UserCertificate, "signKey" | "boxKey">,
): boolean {
  return equalBytes(a.signKey, b.signKey) && equalBytes(a.boxKey, b.boxKey);
}

function isTrusted(anchor: TrustAnchor, bytes: Uint8Array): boolean {
  try {
    trustSupernodeCertificate(anchor, bytes);
    return true;
  } catch {
    return false;
  }
}

function requireIssuer(
  anchor: TrustAnchor,
  domain: "userCertificate" | "supernodeCertificate" | "supernodeList",
  signed: Signed<{ readonly networkId: NetworkId; readonly issuedAt: number }>,
): void {
  if (signed.value.networkId !== anchor.networkId) throw new KithError("certificate-forged");
  const issuer = issuerAt(anchor.keys, signed.value.issuedAt, anchor.now());
  try {
    requireSignature(nodeSignatures, domain, signed, issuer);
  } catch (error) {
    throw new KithError("certificate-forged", {}, { cause: error });
  }
}

function requireCurrent(
  anchor: TrustAnchor,
  validity: { readonly issuedAt: number; readonly expiresAt: number },
): void {
  const now = anchor.now();
  if (validity.issuedAt > now + TIMES.maxClockSkewMs) {
    throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
  }
  if (validity.expiresAt <= now) throw new KithError("certificate-expired");
}
