/** A certified supernode whose every word a test puts into its mouth, true or false. */
import { randomBytes } from "node:crypto";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipItem, MemberItem } from "../../protocol/gossip-item.ts";
import type { Hello } from "../../protocol/gossip-packet.ts";
import {
  type Announcement,
  decodeAnnouncement,
  decodeSuspicion,
  decodeVoucher,
  encodeAnnouncement,
  encodeSuspicion,
  encodeVoucher,
  type Voucher,
} from "../../protocol/gossip-statement.ts";
import { type NetworkId, SupernodeId } from "../../protocol/identifiers.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { nodeSignatures, type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import { trustSupernodeCertificate } from "../../protocol/trust.ts";
import { type GossipKeyPair, newGossipKeyPair } from "../../relay/membership/packet-seal.ts";
import type { TestAuthority } from "./test-identities.ts";

const HOUR_MS = 3_600_000;

export class GossipActor {
  readonly keys: SigningKeyPair = signingKeyPair();
  readonly gossipKeys: GossipKeyPair = newGossipKeyPair();
  readonly certificate: Signed<SupernodeCertificate>;

  constructor(authority: TestAuthority, choices: Partial<SupernodeCertificate> = {}) {
    const now = authority.now();
    const bytes = authority.supernodeCertificate({
      networkId: authority.networkId as NetworkId,
      supernodeId: SupernodeId.parse(randomBytes(20).toString("hex")),
      signKey: this.keys.publicKey,
      tlsFingerprint: new Uint8Array(32),
      host: "127.0.0.1",
      port: 9,
      serial: 1,
      issuedAt: now - 1_000,
      expiresAt: now + HOUR_MS,
      ...choices,
    });
    this.certificate = trustSupernodeCertificate(trustAnchor(authority.networkKey, authority.now), bytes);
  }

  get id(): SupernodeId {
    return this.certificate.value.supernodeId;
  }

  /** @param forger signs in this actor's name with its own key */
  announce(incarnation: number, choices: Partial<Announcement> = {}, forger: GossipActor = this): Signed<Announcement> {
    const announcement = {
      supernodeId: this.id,
      incarnation,
      gossipKey: this.gossipKeys.publicKey,
      certificateSerial: this.certificate.value.serial,
      leaving: false,
      ...choices,
    };
    return decodeAnnouncement(
      signBody(nodeSignatures, "announcement", encodeAnnouncement(announcement), forger.keys.secretKey),
    );
  }

  voucherFor(subject: GossipActor, forger: GossipActor = this): Signed<Voucher> {
    const body = encodeVoucher({
      subject: subject.id,
      certificateSerial: subject.certificate.value.serial,
      voucher: this.id,
    });
    return decodeVoucher(signBody(nodeSignatures, "voucher", body, forger.keys.secretKey));
  }

  suspicionOf(subject: SupernodeId, incarnation: number, forger: GossipActor = this): GossipItem {
    const body = encodeSuspicion({ subject, incarnation, accuser: this.id });
    return {
      kind: "suspicion",
      suspicion: decodeSuspicion(signBody(nodeSignatures, "suspicion", body, forger.keys.secretKey)),
    };
  }

  item(incarnation: number, guarantor: GossipActor): MemberItem {
    return { kind: "member", announcement: this.announce(incarnation), voucher: guarantor.voucherFor(this) };
  }

  hello(incarnation: number, flags: Partial<Hello> = {}): Hello {
    const announcement = this.announce(incarnation);
    return { certificate: this.certificate, announcement, isAnswer: false, isMember: false, ...flags };
  }
}
