/** The directory's share that this supernode holds: it checks what it is given, remembers it, and tells who watches. */
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { type Lease, trustLease } from "../../protocol/lease.ts";
import { LEASE_REPLICAS } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { type TrustAnchor, trustUserCertificate } from "../../protocol/trust.ts";
import type { LeaseChange, LinkPeer } from "../links/link-peer.ts";
import type { Membership } from "../membership/membership-source.ts";
import type { WatchRegistry } from "../presence/watch-registry.ts";
import type { GoneNotice, LeaseRecord, RecordStore } from "./record-store.ts";

/** Supernodes may disagree for a while on who the members are; a record this far from its place is still taken. */
const PLACEMENT_TOLERANCE = 2 * LEASE_REPLICAS;

export interface ShardParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Membership;
  readonly records: RecordStore;
  readonly watches: WatchRegistry<UserId>;
  isRevoked(serial: number): boolean;
}

export class Shard {
  readonly #parts: ShardParts;

  constructor(parts: ShardParts) {
    this.#parts = parts;
  }

  /**
   * @param certificate of the device that signed the lease: only members of the network have a place in its directory.
   * @throws KithError `certificate-revoked`, `lease-stale`, `lease-refused`, `not-a-holder`, and as trustLease and trustUserCertificate
   */
  store(leaseBytes: Uint8Array, certificate: Uint8Array): void {
    const { anchor, records, isRevoked } = this.#parts;
    const now = anchor.now();
    const lease = trustLease(anchor.networkId, now, leaseBytes);
    const owner = trustUserCertificate(anchor, certificate).value;
    if (isRevoked(owner.serial)) throw new KithError("certificate-revoked");
    requireOwner(lease.value, owner);
    this.#requirePlace(lease.value.userId);
    const result = records.put(lease, now);
    if (result === "stale") throw new KithError("lease-stale");
    if (result === "stored") this.#tell(lease);
  }

  /** What is not the sender's to say, or is about an older attachment, changes nothing. */
  markGone(notice: GoneNotice): void {
    const { records, anchor } = this.#parts;
    if (!records.markGone(notice, anchor.now())) return;
    const record = this.find(notice.userId).find((entry) => entry.lease.value.deviceId === notice.deviceId);
    if (record) this.#tell(record.lease);
  }

  find(userId: UserId): LeaseRecord[] {
    return this.#parts.records.find(userId, this.#parts.anchor.now());
  }

  /** Tells the peer the present leases of these users now, and every change from now on. @throws KithError `too-large` */
  watch(peer: LinkPeer, userIds: readonly UserId[]): void {
    this.#parts.watches.add(peer, userIds);
    for (const userId of userIds) {
      for (const record of this.find(userId)) peer.push({ name: "leaseChanged", value: changeOf(record) });
    }
  }

  unwatch(peer: LinkPeer, userIds: readonly UserId[]): void {
    this.#parts.watches.remove(peer, userIds);
  }

  #requirePlace(userId: UserId): void {
    const { self, membership } = this.#parts;
    if (!membership.holdersOf(userId, PLACEMENT_TOLERANCE).includes(self)) {
      throw new KithError("not-a-holder");
    }
  }

  #tell({ value: { userId, deviceId } }: Signed<Lease>): void {
    const record = this.find(userId).find((entry) => entry.lease.value.deviceId === deviceId);
    if (!record) return;
    const value = changeOf(record);
    for (const peer of this.#parts.watches.watchersOf(userId)) peer.push({ name: "leaseChanged", value });
  }
}

function changeOf({ lease, gone, lastSeenAt }: LeaseRecord): LeaseChange {
  return { userId: lease.value.userId, lease: lease.bytes, gone, lastSeenAt };
}

/** @throws KithError `lease-refused` unless the lease speaks of exactly the certificate's device. */
export function requireOwner(
  lease: Lease,
  owner: { readonly userId: UserId; readonly deviceId: string; readonly signKey: Uint8Array },
): void {
  const isOwn =
    lease.userId === owner.userId && lease.deviceId === owner.deviceId && equalBytes(lease.signKey, owner.signKey);
  if (!isOwn) throw new KithError("lease-refused", { why: "it is of another device" });
}
