/** What may happen to the membership's state machine. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { MemberItem } from "../../protocol/gossip-item.ts";
import type { GossipMessage } from "../../protocol/gossip-message.ts";
import type { Hello } from "../../protocol/gossip-packet.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";

export type GossipEvent =
  | { readonly type: "start" }
  /** The time that `nextWakeAt` named has come. */
  | { readonly type: "wake" }
  /** From a packet whose tag was right: `from` is who has sealed it. */
  | { readonly type: "message"; readonly from: SupernodeId; readonly message: GossipMessage }
  /** A packet whose tag could not be checked, because its sender is not known. */
  | { readonly type: "stranger"; readonly supernodeId: SupernodeId }
  | { readonly type: "hello"; readonly hello: Hello }
  | { readonly type: "tcp-probed"; readonly supernodeId: SupernodeId; readonly isReachable: boolean }
  /** A sign from outside the gossip that a member may be dead: its TCP link has broken. */
  | { readonly type: "link-lost"; readonly supernodeId: SupernodeId }
  /** A supernode with a certificate that was checked: from the login server's list, or met by TCP. */
  | { readonly type: "met"; readonly certificate: Signed<SupernodeCertificate> }
  /** What this supernode knew when it last wrote it down: from its own disk, so it is not checked again. */
  | { readonly type: "remember"; readonly members: Iterable<RememberedMember> }
  /** Somebody who can be reached by TCP says that there are members, whatever is heard by UDP. */
  | { readonly type: "others-take-part" }
  | { readonly type: "certificate-renewed"; readonly certificate: Signed<SupernodeCertificate> }
  | { readonly type: "leave" };

export interface RememberedMember {
  readonly certificate: Signed<SupernodeCertificate>;
  readonly item: MemberItem;
}
