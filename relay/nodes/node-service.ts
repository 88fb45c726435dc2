/** What an attached node may ask of its supernode. */
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type Lease, trustLease } from "../../protocol/lease.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { UserPresence } from "../../protocol/presence.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { NODE_REQUESTS } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import { Turnstile } from "../ports/turnstile.ts";
import type { LookUp } from "../presence/look-up.ts";
import type { PresenceBoard } from "../presence/presence-board.ts";
import { requireOwner } from "../records/shard.ts";
import type { RelayLimits } from "../relay-limits.ts";
import type { SearchService } from "../search/search-service.ts";
import type { SessionHandlers } from "../sockets/endpoint.ts";
import type { CallRelay } from "../turn/call-relay.ts";
import type { Attachment, Attachments } from "./attachments.ts";
import type { Publisher } from "./publisher.ts";

export interface NodeServiceParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly attachments: Attachments;
  readonly publisher: Publisher;
  readonly board: PresenceBoard;
  readonly lookUp: LookUp;
  readonly peers: Peers;
  readonly relay: Pick<CallRelay, "credentialsFor">;
  readonly search: Pick<SearchService, "nodeHandlers">;
  readonly limits: Pick<RelayLimits, "registrationsInProgress" | "watchesInProgress">;
  /** Monotonic, in ms. */
  readonly clock: () => number;
  /** How busy this process is, from 0 to 1. */
  readonly load: () => number;
}

/** An answer must fit a frame, with its JSON and room to spare. */
const MAX_ANSWER_BYTES = LIMITS.maxFrameBytes / 2;
/** JSON, identifiers and numbers of one device. */
const DEVICE_OVERHEAD_BYTES = 300;

/** Errors: `rate-limited`, `lease-refused`, `lease-stale`, `signature-invalid`, `clock-skew`, `not-attached`, `supernode-unreachable`. */
export function nodeHandlers(parts: NodeServiceParts): SessionHandlers<typeof NODE_REQUESTS, Attachment> {
  const { self, anchor, attachments, publisher, board, lookUp, peers, relay, search, limits, clock, load } = parts;
  const registrations = new Turnstile({ most: limits.registrationsInProgress, clock, load });
  const watches = new Turnstile({ most: limits.watchesInProgress, clock, load });

  function requireAttached(attachment: Attachment): void {
    if (!attachments.has(attachment)) throw new KithError("not-attached");
  }

  return {
    ...search.nodeHandlers,

    register(attachment, input) {
      return registrations.pass(async () => {
        requireAttached(attachment);
        const lease = trustLease(anchor.networkId, anchor.now(), input.lease);
        requireOwner(lease.value, attachment.certificate.value);
        requireHere(lease.value, self, attachment);
        attachments.hide(attachment, lease.value.validityMs === 0 ? lease.value.issuedAt : null);
        await publisher.publish(lease, attachment.certificate.bytes);
        return {};
      });
    },

    setStatus(attachment, { sealedStatus }) {
      requireAttached(attachment);
      attachments.setStatus(attachment, sealedStatus);
      return {};
    },

    async watch(attachment, { userIds }) {
      requireAttached(attachment);
      const presences = await watches.pass(() => board.setWatched(attachment, userIds));
      const { answered, rest } = fitting(presences);
      // After the answer, so that the node knows what it is watching.
      setImmediate(() => {
        for (const presence of rest) attachment.push("presence", presence);
      });
      return { presences: answered };
    },

    lookUp(_attachment, { userId }) {
      return lookUp.lookUp(userId);
    },

    async send(attachment, { home, inbox, envelope }) {
      const from = attachment.address;
      try {
        return await peers.call(home, "route", { inbox, from, envelope });
      } catch {
        // Whatever stood in the way, the device has not taken it, and the sender keeps it.
        return { delivered: false };
      }
    },

    relayCredentials(attachment) {
      requireAttached(attachment);
      return relay.credentialsFor(attachment.certificate.value.userId);
    },

    ping() {
      return {};
    },

    detach(attachment) {
      attachments.end(attachment);
      setImmediate(() => attachment.close());
      return {};
    },
  };
}

function requireHere(lease: Lease, self: SupernodeId, attachment: Attachment): void {
  if (lease.home !== self) throw new KithError("lease-refused", { why: "it names another home" });
  if (lease.inbox !== attachment.inbox) throw new KithError("lease-refused", { why: "it names another inbox" });
}

function fitting(presences: readonly UserPresence[]): { answered: UserPresence[]; rest: UserPresence[] } {
  let bytes = 0;
  const count = presences.findIndex((presence) => {
    bytes += sizeOf(presence);
    return bytes > MAX_ANSWER_BYTES;
  });
  if (count === -1) return { answered: [...presences], rest: [] };
  return { answered: presences.slice(0, count), rest: presences.slice(count) };
}

function sizeOf({ devices }: UserPresence): number {
  let bytes = DEVICE_OVERHEAD_BYTES;
  for (const { lease, sealedStatus } of devices) bytes += DEVICE_OVERHEAD_BYTES + lease.length + sealedStatus.length;
  return bytes;
}
