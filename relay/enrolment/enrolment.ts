/** This supernode's own certificate: got from the login server, kept, and renewed in good time. */
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { TIMES } from "../../protocol/limits.ts";
import { enrolmentStatement } from "../../protocol/login-proof.ts";
import { signingSince } from "../../protocol/network-key-chain.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { type TrustAnchor, trustSupernodeCertificate } from "../../protocol/trust.ts";
import type { DataFolder } from "../data-folder.ts";
import type { Member } from "../membership/membership-source.ts";
import type { LoginServerClient } from "./login-server-client.ts";
import type { SupernodeKeys } from "./supernode-keys.ts";

const FILE = "certificate";

export interface EnrolmentParts {
  readonly folder: DataFolder;
  readonly loginServer: LoginServerClient;
  /** What to enrol with: an operator has one, a desktop app asks for a ticket each time. @throws KithError */
  readonly token: () => Promise<string>;
  readonly keys: SupernodeKeys;
  readonly anchor: TrustAnchor;
}

/** The kept certificate, if it is still to be believed and speaks of these keys. */
export function keptCertificate({ folder, keys, anchor }: EnrolmentParts): Member | null {
  const bytes = folder.read(FILE);
  if (!bytes) return null;
  try {
    const member = trustSupernodeCertificate(anchor, bytes);
    return speaksOf(member, keys) ? member : null;
  } catch {
    // Expired, or not written to the end: the login server gives another one.
    return null;
  }
}

/**
 * The certificate for this address: the kept one while it is in the first half of its
 * life, otherwise a fresh one; the kept one too if the login server does not answer.
 * @throws KithError from the login server, if there is none to fall back on
 */
export async function enrol(parts: EnrolmentParts, host: string, port: number): Promise<Member> {
  const kept = keptCertificate(parts);
  const usable = kept && kept.value.host === host && kept.value.port === port ? kept : null;
  if (usable && !isDueForRenewal(usable, parts.anchor)) return usable;
  try {
    return await renew(parts, host, port);
  } catch (error) {
    if (usable && error instanceof KithError && error.retry) return usable;
    throw error;
  }
}

/**
 * A fresh certificate, kept.
 * @throws KithError from the login server, and `clock-skew`: other supernodes would refuse what we say by a clock that is ahead
 */
export async function renew(parts: EnrolmentParts, host: string, port: number): Promise<Member> {
  const { signing, tlsFingerprint } = parts.keys;
  const claim = { networkId: parts.anchor.networkId, signKey: signing.publicKey, tlsFingerprint, host, port };
  const proof = nodeSignatures.sign(enrolmentStatement(claim), signing.secretKey);
  const member = trustSupernodeCertificate(
    parts.anchor,
    await parts.loginServer.enrol(claim, await parts.token(), proof),
  );
  if (!speaksOf(member, parts.keys) || member.value.host !== host || member.value.port !== port) {
    throw new KithError("login-server-nonsense", { address: parts.loginServer.address });
  }
  if (member.value.issuedAt < parts.anchor.now() - TIMES.maxClockSkewMs) {
    throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
  }
  parts.folder.write(FILE, member.bytes);
  return member;
}

/** From half-life on, and as soon as the network signs with another key. */
export function isDueForRenewal(member: Member, { now, keys }: TrustAnchor): boolean {
  const { issuedAt, expiresAt } = member.value;
  const time = now();
  return time >= issuedAt + (expiresAt - issuedAt) / 2 || issuedAt < signingSince(keys, time);
}

function speaksOf(member: Member, keys: SupernodeKeys): boolean {
  return (
    equalBytes(member.value.signKey, keys.signing.publicKey) &&
    equalBytes(member.value.tlsFingerprint, keys.tlsFingerprint)
  );
}
