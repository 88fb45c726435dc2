/** How a socket becomes a node's or another supernode's: both sides prove their keys. */
import { requireAttachProof, requireProtocolVersion, signAttachAnswer } from "../../protocol/attach-proof.ts";
import { decodeUserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import { type TrustAnchor, trustSupernodeCertificate, trustUserCertificate } from "../../protocol/trust.ts";
import type { NetworkNotices } from "../enrolment/network-notices.ts";
import type { SupernodeKeys } from "../enrolment/supernode-keys.ts";
import type { OPENING_METHODS } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import type { Member, Membership } from "../membership/membership-source.ts";
import type { Attachments } from "../nodes/attachments.ts";
import type { Door } from "../ports/door.ts";
import type { Connection } from "./connection.ts";
import type { SessionHandlers } from "./endpoint.ts";

/** Until a newcomer is let in, or tried again. */
const OUTSIDER_RETRY_S = { joining: 3, unreachable: 15, left: 30 } as const;

export interface OpeningParts {
  readonly anchor: TrustAnchor;
  readonly keys: SupernodeKeys;
  /** This supernode's own certificate, as it is now. */
  readonly self: () => Member;
  readonly attachments: Attachments;
  readonly membership: Membership;
  readonly peers: Pick<Peers, "returned">;
  readonly notices: Pick<NetworkNotices, "isRevoked">;
  readonly door: Door;
}

/** Errors: `protocol-version`, `certificate-revoked`, `signature-invalid`, `supernode-busy`, `not-authenticated`, and as trust.ts. */
export function openingHandlers(parts: OpeningParts): SessionHandlers<typeof OPENING_METHODS, Connection> {
  const { anchor, keys, self, attachments, membership, peers, door, notices } = parts;

  function claimOf(connection: Connection, nonce: Uint8Array) {
    return connection.takeClaim(nonce, self().value.supernodeId, keys.tlsFingerprint);
  }

  function requireStanding(serial: number): void {
    if (notices.isRevoked(serial)) throw new KithError("certificate-revoked");
  }

  return {
    attach(connection, input) {
      requireProtocolVersion(input.protocolVersion, "The supernode");
      // Nobody would be found here: whoever comes is better off elsewhere.
      const { kind } = membership.stage;
      if (kind !== "member") throw new KithError("supernode-busy", { seconds: OUTSIDER_RETRY_S[kind] });
      const claim = claimOf(connection, input.nonce);
      attachments.requireRoom(decodeUserCertificate(input.certificate).value);
      const certificate = trustUserCertificate(anchor, Uint8Array.from(input.certificate));
      requireAttachProof(claim, input.proof, certificate.value.signKey);
      requireStanding(certificate.value.serial);
      const attachment = attachments.attach(connection.socket, certificate);
      connection.becomeNode(attachment);
      door.proved(connection.stream);
      return { proof: signAttachAnswer(claim, keys.signing.secretKey), inbox: attachment.inbox };
    },

    join(connection, input) {
      requireProtocolVersion(input.protocolVersion, "The supernode");
      const claim = claimOf(connection, input.nonce);
      const supernode = trustSupernodeCertificate(anchor, Uint8Array.from(input.certificate));
      requireAttachProof(claim, input.proof, supernode.value.signKey);
      requireStanding(supernode.value.serial);
      if (supernode.value.supernodeId === self().value.supernodeId) throw new KithError("supernode-untrusted");
      connection.becomeLink(supernode.value);
      door.provedSupernode(connection.stream);
      membership.meet(supernode);
      peers.returned(supernode.value.supernodeId);
      return { proof: signAttachAnswer(claim, keys.signing.secretKey) };
    },
  };
}
