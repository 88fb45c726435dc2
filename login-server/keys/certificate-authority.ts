/** The one place that signs with the network key. */
import {
  decodeUserCertificate,
  encodeSupernodeCertificate,
  encodeUserCertificate,
  type SupernodeCertificate,
  type UserCertificate,
} from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { encodeKeyLogHead, type KeyLogHead } from "../../protocol/key-log.ts";
import { TIMES } from "../../protocol/limits.ts";
import { encodeSuccessions } from "../../protocol/network-key.ts";
import { keyAt, placeAt, signingSince } from "../../protocol/network-key-chain.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { encodeRevocationList, type RevocationList } from "../../protocol/revocations.ts";
import { requireSignature, type Signed, signBody } from "../../protocol/signed.ts";
import { encodeSupernodeList, type SupernodeListDraft } from "../../protocol/supernode-list.ts";
import { KeyRing } from "./key-ring.ts";
import type { NetworkKeys } from "./network-keys.ts";

/** What the authority fills in itself. */
type Issued = "networkId" | "issuedAt" | "expiresAt";

export interface IssuedCertificate {
  readonly bytes: Uint8Array;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** The kinds of statement that the network key signs. */
type NetworkStatement = "userCertificate" | "supernodeCertificate" | "supernodeList" | "keyLogHead" | "revocationList";

export class CertificateAuthority {
  readonly #keys: NetworkKeys;
  readonly #ring: KeyRing;
  readonly #now: () => number;

  constructor(keys: NetworkKeys, now: () => number, ring = new KeyRing(keys)) {
    this.#keys = keys;
    this.#ring = ring;
    this.#now = now;
  }

  get networkId() {
    return this.#keys.networkId;
  }

  /** The first one. */
  get networkKey(): Uint8Array {
    return this.#keys.signing.publicKey;
  }

  /** What leads from the first key to the present one. */
  get successions(): Uint8Array {
    return encodeSuccessions(this.#ring.chain.successions);
  }

  /** Of the newest key. */
  get fingerprint(): NetworkId {
    return this.#ring.fingerprint;
  }

  /** Whether what was issued then was signed by a former key, and so is to be signed anew. */
  isOfFormerKey(issuedAt: number): boolean {
    return issuedAt < signingSince(this.#ring.chain, this.#now());
  }

  /** Whether it was issued while this machine's clock was ahead: nobody believes it before its time has come. */
  isOfTheFuture(issuedAt: number): boolean {
    return issuedAt > this.#now() + TIMES.maxClockSkewMs;
  }

  /** Certificates are renewed from half-life on, and at once under another key or after the clock was put right. */
  isDue({ issuedAt, expiresAt }: Pick<IssuedCertificate, "issuedAt" | "expiresAt">): boolean {
    const isOld = isPastHalfLife({ issuedAt, expiresAt }, this.#now());
    return isOld || this.isOfFormerKey(issuedAt) || this.isOfTheFuture(issuedAt);
  }

  issueUser(subject: Omit<UserCertificate, Issued>): IssuedCertificate {
    const validity = this.#validFor(TIMES.userCertificateMs);
    const body = encodeUserCertificate({ ...subject, networkId: this.networkId, ...validity });
    return { bytes: this.#sign("userCertificate", body, validity.issuedAt), ...validity };
  }

  issueSupernode(subject: Omit<SupernodeCertificate, Issued>, validForMs: number): IssuedCertificate {
    const validity = this.#validFor(validForMs);
    const body = encodeSupernodeCertificate({ ...subject, networkId: this.networkId, ...validity });
    return { bytes: this.#sign("supernodeCertificate", body, validity.issuedAt), ...validity };
  }

  signList(list: Pick<SupernodeListDraft, "revision" | "supernodes">): IssuedCertificate {
    const validity = this.#validFor(TIMES.supernodeListMs);
    const body = encodeSupernodeList({ ...list, networkId: this.networkId, ...validity });
    return { bytes: this.#sign("supernodeList", body, validity.issuedAt), ...validity };
  }

  signKeyLogHead(head: Omit<KeyLogHead, "networkId">): Uint8Array {
    return this.#sign("keyLogHead", encodeKeyLogHead({ ...head, networkId: this.networkId }), head.issuedAt);
  }

  signRevocations(list: Omit<RevocationList, "networkId">): Uint8Array {
    return this.#sign("revocationList", encodeRevocationList({ ...list, networkId: this.networkId }), list.issuedAt);
  }

  /**
   * A certificate of this network, expired or not, of its present key or a former one: whether its device is still
   * signed in and whose keys it has is what the database knows.
   * @throws KithError `malformed`, `too-large`, `certificate-forged`
   */
  recogniseUser(bytes: Uint8Array): Signed<UserCertificate> {
    const certificate = decodeUserCertificate(bytes);
    if (certificate.value.networkId !== this.networkId) throw new KithError("certificate-forged");
    try {
      const { chain } = this.#ring;
      const issuer = keyAt(chain, placeAt(chain, certificate.value.issuedAt));
      requireSignature(nodeSignatures, "userCertificate", certificate, issuer);
    } catch (error) {
      throw new KithError("certificate-forged", {}, { cause: error });
    }
    return certificate;
  }

  #validFor(durationMs: number): { issuedAt: number; expiresAt: number } {
    const issuedAt = this.#now();
    return { issuedAt, expiresAt: issuedAt + durationMs };
  }

  /** By the key of that time: readers look for no other. */
  #sign(domain: NetworkStatement, body: Uint8Array, issuedAt: number): Uint8Array {
    return signBody(nodeSignatures, domain, body, this.#ring.pairAt(issuedAt).secretKey);
  }
}

export function isPastHalfLife(validity: Pick<IssuedCertificate, "issuedAt" | "expiresAt">, now: number): boolean {
  return now >= (validity.issuedAt + validity.expiresAt) / 2;
}
