/** How many registrations a core can check in a second: part of `npm run bench -- directory`. */
import { randomBytes } from "node:crypto";
import { encodeUserCertificate } from "../protocol/certificate.ts";
import { DeviceId, Handle, InboxId, SupernodeId } from "../protocol/identifiers.ts";
import { encodeLease, trustLease } from "../protocol/lease.ts";
import { TIMES } from "../protocol/limits.ts";
import { trustAnchor } from "../protocol/network-trust.ts";
import { forgetSignatures, nodeSignatures, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";
import { signBody, statement } from "../protocol/signed.ts";
import { trustUserCertificate } from "../protocol/trust.ts";

/** A sealed body as clients send it: nonce, tag and a few bytes of capabilities. */
const SEALED_BODY_BYTES = 48;
/** More than fit the cache of imported keys, so that a supernode's mixture of known and new accounts is halfway met. */
const ACCOUNTS = 4_000;
const HOUR_MS = 3_600_000;

export interface VerifyFigures {
  /** A lease and its device's certificate decoded and checked as a holder does it: three signatures. */
  readonly registrations: number;
  /** A lease alone, decoded and checked, as those who look up do it. */
  readonly leases: number;
  /** Nothing but signatures, by node:crypto with keys that were imported before. */
  readonly signatures: number;
}

/** Each per second of CPU time. */
export function benchVerify(seconds: number): VerifyFigures {
  const network = signingKeyPair();
  const now = Date.now();
  const anchor = trustAnchor(network.publicKey, () => now);
  const devices = Array.from({ length: ACCOUNTS }, (_, index) => {
    const { publicKey, secretKey } = signingKeyPair();
    const [userId, deviceId] = [userIdOf(publicKey), DeviceId.parse("11".repeat(16))];
    const boxKey = randomBytes(32);
    const certificate = encodeUserCertificate({
      networkId: anchor.networkId,
      handle: Handle.parse(`person${index}`),
      userId,
      signKey: publicKey,
      boxKey,
      keyBinding: nodeSignatures.sign(statement("keyBinding", boxKey), secretKey),
      deviceId,
      serial: index,
      issuedAt: now,
      expiresAt: now + HOUR_MS,
    });
    const lease = encodeLease({
      networkId: anchor.networkId,
      userId,
      signKey: publicKey,
      deviceId,
      home: SupernodeId.parse("22".repeat(20)),
      inbox: InboxId.parse("33".repeat(16)),
      sequence: index,
      issuedAt: now,
      validityMs: TIMES.leaseValidityMs,
      sealedBody: new Uint8Array(SEALED_BODY_BYTES),
    });
    return {
      publicKey,
      lease: signBody(nodeSignatures, "lease", lease, secretKey),
      certificate: signBody(nodeSignatures, "userCertificate", certificate, network.secretKey),
    };
  });
  const trusted = devices.map(({ lease, publicKey }) => ({
    publicKey,
    lease: trustLease(anchor.networkId, now, lease),
  }));
  const perSecond = <T>(items: readonly T[], check: (item: T) => void) => perCpuSecond(seconds, items, check);
  return {
    registrations: perSecond(devices, ({ lease, certificate }) => {
      trustLease(anchor.networkId, now, lease);
      trustUserCertificate(anchor, certificate);
    }),
    leases: perSecond(devices, ({ lease }) => trustLease(anchor.networkId, now, lease)),
    signatures: perSecond(trusted, ({ publicKey, lease }) => {
      nodeSignatures.verify(statement("lease", lease.body), lease.signature, publicKey);
    }),
  };
}

function perCpuSecond<T>(seconds: number, items: readonly T[], check: (item: T) => void): number {
  const start = process.cpuUsage();
  const until = performance.now() + seconds * 1_000;
  let checked = 0;
  while (performance.now() < until) {
    for (let step = 0; step < 100; step++) check(items[checked++ % items.length] as T);
    // What has been checked before costs next to nothing: here each counts as new.
    if (checked % items.length === 0) forgetSignatures();
  }
  const { user, system } = process.cpuUsage(start);
  return Math.round(checked / ((user + system) / 1_000_000));
}
