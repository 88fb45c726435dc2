/** Certificates of supernodes that were checked, members or not: the newest of each. */
import { equalBytes } from "../../protocol/bytes.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";

/** Far more than a network has supernodes; stops one that mints certificates without end. */
const MAX_CERTIFICATES = 100_000;

/** @throws KithError unless the network key signed it and it is valid now */
export type TrustCertificate = (bytes: Uint8Array) => Signed<SupernodeCertificate>;

/** Whether the network believes a certificate no longer that was checked before: taken back, or of a key that is over. */
export type IsRevoked = (serial: number, issuedAt: number) => boolean;

export class CertificateDirectory {
  readonly #trust: TrustCertificate;
  readonly #isRevoked: IsRevoked;
  readonly #certificates = new Map<SupernodeId, Signed<SupernodeCertificate>>();

  constructor(trust: TrustCertificate, isRevoked: IsRevoked = () => false) {
    this.#trust = trust;
    this.#isRevoked = isRevoked;
  }

  get(id: SupernodeId): Signed<SupernodeCertificate> | undefined {
    return this.#certificates.get(id);
  }

  all(): Iterable<Signed<SupernodeCertificate>> {
    return this.#certificates.values();
  }

  /** Takes a certificate that was checked already, unless the network has taken it back. */
  add(certificate: Signed<SupernodeCertificate>): void {
    const { supernodeId, serial, issuedAt } = certificate.value;
    const known = this.#certificates.get(supernodeId);
    if (this.#isRevoked(serial, issuedAt) || (known && known.value.serial >= serial)) return;
    if (!known && this.#certificates.size >= MAX_CERTIFICATES) return;
    this.#certificates.set(supernodeId, certificate);
  }

  /** Whether the certificate is genuine; if so, it is known from now on, as long as it holds. */
  learn(certificate: Signed<SupernodeCertificate>): boolean {
    const known = this.#certificates.get(certificate.value.supernodeId);
    if (known && equalBytes(known.bytes, certificate.bytes)) return true;
    try {
      this.add(this.#trust(certificate.bytes));
      return true;
    } catch (error) {
      if (error instanceof KithError) return false;
      throw error;
    }
  }

  /** Whether it holds no longer: expired, or taken back. */
  isOver({ value: { expiresAt, serial, issuedAt } }: Signed<SupernodeCertificate>, now: number): boolean {
    return expiresAt <= now || this.#isRevoked(serial, issuedAt);
  }

  sweep(now: number): void {
    for (const [id, certificate] of this.#certificates) {
      if (this.isOver(certificate, now)) this.#certificates.delete(id);
    }
  }
}
