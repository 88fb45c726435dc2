/** Who the supernodes of the network are, as everything else in a supernode sees it. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { PlacementTable } from "../records/placement-table.ts";

/** A supernode with a certificate that was checked against the network key. */
export type Member = Signed<SupernodeCertificate>;

export type MembershipChange =
  | { readonly kind: "joined"; readonly member: Member }
  /** The same supernode, with a newer certificate: a later expiry, or another address. */
  | { readonly kind: "renewed"; readonly member: Member }
  | { readonly kind: "left"; readonly supernodeId: SupernodeId };

/** Where this supernode stands: only a member takes part. */
export type Stage =
  | { readonly kind: "joining" }
  | { readonly kind: "member" }
  /** A member has tried to reach it from outside and could not; it keeps trying. */
  | { readonly kind: "unreachable"; readonly by: "udp" | "tcp" }
  | { readonly kind: "left" };

export interface Membership {
  readonly stage: Stage;
  /** All members, this supernode included, as placement sees them. */
  members(): ReadonlyMap<SupernodeId, Member>;
  /** Of the members now: the same table until they change. */
  placement(): PlacementTable;
  /** As placement.ts, of the members now, and fast enough to be asked for every request. */
  holdersOf(userId: UserId, count?: number): SupernodeId[];
  /** A certified supernode has shown itself; it may not be a member yet. */
  meet(supernode: Member): void;
  /** The connection to a member has broken, which may mean more than that. */
  linkLost(supernodeId: SupernodeId): void;
  /** Told after `members()` has changed. Returns how to stop being told. */
  onChange(listener: (change: MembershipChange) => void): () => void;
  close(): void;
}
