/** This supernode among the others: its certificate, its present announcement, and who vouches for it. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { MemberItem } from "../../protocol/gossip-item.ts";
import {
  type Announcement,
  decodeAnnouncement,
  decodeSuspicion,
  decodeVoucher,
  encodeAnnouncement,
  encodeSuspicion,
  encodeVoucher,
  type Suspicion,
  type Voucher,
} from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type SignatureScheme, type Signed, signBody } from "../../protocol/signed.ts";

export interface IdentityParts {
  readonly certificate: Signed<SupernodeCertificate>;
  /** Ed25519, of the certificate's key. */
  readonly secretKey: Uint8Array;
  /** X25519 public key, made at this start. */
  readonly gossipKey: Uint8Array;
  readonly scheme: SignatureScheme;
}

export class Identity {
  readonly #parts: IdentityParts;
  #certificate: Signed<SupernodeCertificate>;
  #announcement: Signed<Announcement>;
  #voucher: Signed<Voucher> | null = null;

  constructor(parts: IdentityParts, now: number) {
    this.#parts = parts;
    this.#certificate = parts.certificate;
    this.#announcement = this.#announce(now, false);
  }

  get id(): SupernodeId {
    return this.#parts.certificate.value.supernodeId;
  }

  get certificate(): Signed<SupernodeCertificate> {
    return this.#certificate;
  }

  get announcement(): Signed<Announcement> {
    return this.#announcement;
  }

  get voucher(): Signed<Voucher> | null {
    return this.#voucher;
  }

  set voucher(voucher: Signed<Voucher>) {
    this.#voucher = voucher;
  }

  /** What others need to take this supernode for a member; null until somebody has vouched for it. */
  get item(): MemberItem | null {
    return this.#voucher && { kind: "member", announcement: this.#announcement, voucher: this.#voucher };
  }

  /** A new announcement, above `incarnation` whatever the clock says. */
  renew(now: number, above: number, leaving = false): void {
    this.#announcement = this.#announce(Math.max(Math.floor(now), above + 1), leaving);
  }

  renewCertificate(certificate: Signed<SupernodeCertificate>, now: number): void {
    this.#certificate = certificate;
    this.renew(now, this.#announcement.value.incarnation);
  }

  suspect(subject: SupernodeId, incarnation: number): Signed<Suspicion> {
    const body = encodeSuspicion({ subject, incarnation, accuser: this.id });
    return decodeSuspicion(signBody(this.#parts.scheme, "suspicion", body, this.#parts.secretKey));
  }

  vouchFor(certificate: SupernodeCertificate): Signed<Voucher> {
    const body = encodeVoucher({
      subject: certificate.supernodeId,
      certificateSerial: certificate.serial,
      voucher: this.id,
    });
    return decodeVoucher(signBody(this.#parts.scheme, "voucher", body, this.#parts.secretKey));
  }

  #announce(incarnation: number, leaving: boolean): Signed<Announcement> {
    const body = encodeAnnouncement({
      supernodeId: this.id,
      incarnation: Math.floor(incarnation),
      gossipKey: this.#parts.gossipKey,
      certificateSerial: this.#certificate.value.serial,
      leaving,
    });
    return decodeAnnouncement(signBody(this.#parts.scheme, "announcement", body, this.#parts.secretKey));
  }
}
