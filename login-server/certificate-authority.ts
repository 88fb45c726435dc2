/** The one place that signs with the network key. */
import {
  decodeUserCertificate,
  encodeSupernodeCertificate,
  encodeUserCertificate,
  type SupernodeCertificate,
  type UserCertificate,
} from "../protocol/certificate.ts";
import { KithError } from "../protocol/errors.ts";
import { encodeKeyLogHead, type KeyLogHead } from "../protocol/key-log.ts";
import { TIMES } from "../protocol/limits.ts";
import { nodeSignatures } from "../protocol/node-crypto.ts";
import { encodeRevocationList, type RevocationList } from "../protocol/revocations.ts";
import { requireSignature, type Signed, signBody } from "../protocol/signed.ts";
import { encodeSupernodeList, type SupernodeListDraft } from "../protocol/supernode-list.ts";
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
  readonly #now: () => number;

  constructor(keys: NetworkKeys, now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  get networkId() {
    return this.#keys.networkId;
  }

  get networkKey(): Uint8Array {
    return this.#keys.signing.publicKey;
  }

  issueUser(subject: Omit<UserCertificate, Issued>): IssuedCertificate {
    const validity = this.#validFor(TIMES.userCertificateMs);
    const body = encodeUserCertificate({ ...subject, networkId: this.networkId, ...validity });
    return { bytes: this.#sign("userCertificate", body), ...validity };
  }

  issueSupernode(subject: Omit<SupernodeCertificate, Issued>, validForMs: number): IssuedCertificate {
    const validity = this.#validFor(validForMs);
    const body = encodeSupernodeCertificate({ ...subject, networkId: this.networkId, ...validity });
    return { bytes: this.#sign("supernodeCertificate", body), ...validity };
  }

  signList(list: Pick<SupernodeListDraft, "revision" | "supernodes">): IssuedCertificate {
    const validity = this.#validFor(TIMES.supernodeListMs);
    const body = encodeSupernodeList({ ...list, networkId: this.networkId, ...validity });
    return { bytes: this.#sign("supernodeList", body), ...validity };
  }

  signKeyLogHead(head: Omit<KeyLogHead, "networkId">): Uint8Array {
    return this.#sign("keyLogHead", encodeKeyLogHead({ ...head, networkId: this.networkId }));
  }

  signRevocations(list: Omit<RevocationList, "networkId">): Uint8Array {
    return this.#sign("revocationList", encodeRevocationList({ ...list, networkId: this.networkId }));
  }

  /**
   * A certificate of this network, expired or not: whether its device is still signed in is
   * what the devices table knows.
   * @throws KithError `malformed`, `too-large`, `certificate-forged`
   */
  recogniseUser(bytes: Uint8Array): Signed<UserCertificate> {
    const certificate = decodeUserCertificate(bytes);
    if (certificate.value.networkId !== this.networkId) throw new KithError("certificate-forged");
    try {
      requireSignature(nodeSignatures, "userCertificate", certificate, this.networkKey);
    } catch (error) {
      throw new KithError("certificate-forged", {}, { cause: error });
    }
    return certificate;
  }

  #validFor(durationMs: number): { issuedAt: number; expiresAt: number } {
    const issuedAt = this.#now();
    return { issuedAt, expiresAt: issuedAt + durationMs };
  }

  #sign(domain: NetworkStatement, body: Uint8Array): Uint8Array {
    return signBody(nodeSignatures, domain, body, this.#keys.signing.secretKey);
  }
}

/** Certificates are renewed from half-life on. */
export function isPastHalfLife(validity: Pick<IssuedCertificate, "issuedAt" | "expiresAt">, now: number): boolean {
  return now >= (validity.issuedAt + validity.expiresAt) / 2;
}
