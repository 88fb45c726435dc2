/** What other supernodes may ask of this one, and it of itself. */
import type { InboxId } from "../../protocol/identifiers.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { NetworkNotices } from "../enrolment/network-notices.ts";
import type { Attachments } from "../nodes/attachments.ts";
import type { WatchRegistry } from "../presence/watch-registry.ts";
import type { Shard } from "../records/shard.ts";
import type { SearchService } from "../search/search-service.ts";
import type { LinkHandlers, LinkPeer } from "./link-peer.ts";

export interface LinkServiceParts {
  readonly shard: Shard;
  readonly attachments: Attachments;
  readonly inboxWatches: WatchRegistry<InboxId>;
  readonly search: Pick<SearchService, "linkHandlers">;
  readonly notices: Pick<NetworkNotices, "take">;
  readonly anchor: Pick<TrustAnchor, "learn">;
  replicate(peer: LinkPeer, message: Uint8Array): void;
  isMember(): boolean;
}

/** Errors: those of shard.ts and replicator.ts, and `too-large` for a peer that watches too much. */
export function linkHandlers({
  shard,
  attachments,
  inboxWatches,
  search,
  notices,
  anchor,
  replicate,
  isMember,
}: LinkServiceParts): LinkHandlers {
  return {
    ...search.linkHandlers,

    tellNotices(_peer, told) {
      notices.take(told);
      return {};
    },

    tellNetworkKeys(_peer, { successions }) {
      anchor.learn(Uint8Array.from(successions));
      return {};
    },

    store(_peer, { lease, certificate }) {
      shard.store(lease, certificate);
      return {};
    },

    markGone(peer, notice) {
      shard.markGone({ ...notice, home: peer.supernodeId });
      return {};
    },

    find(_peer, { userId }) {
      const records = shard
        .find(userId)
        .map(({ lease, gone, lastSeenAt }) => ({ lease: lease.bytes, gone, lastSeenAt }));
      return { records };
    },

    watchLeases(peer, { add, remove }) {
      shard.unwatch(peer, remove);
      shard.watch(peer, add);
      return {};
    },

    watchInboxes(peer, { add, remove }) {
      inboxWatches.remove(peer, remove);
      inboxWatches.add(peer, add);
      for (const inbox of add) peer.push({ name: "inboxChanged", value: attachments.stateOf(inbox) });
      return {};
    },

    room() {
      return { nodes: attachments.room };
    },

    standing() {
      return { isMember: isMember() };
    },

    replicate(peer, { message }) {
      replicate(peer, message);
      return {};
    },

    async route(_peer, { inbox, from, envelope }) {
      return { delivered: await attachments.deliver(inbox, from, envelope) };
    },
  };
}
