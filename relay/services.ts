/** The working parts of a supernode, wired together: everything between its sockets and its records. */
import type { Logger } from "pino";
import type { KithError } from "../protocol/errors.ts";
import type { InboxId, SupernodeId, UserId } from "../protocol/identifiers.ts";
import type { NetworkTrust } from "../protocol/network-trust.ts";
import type { FetchedNotices, NetworkNotices } from "./enrolment/network-notices.ts";
import { NoticeSpread } from "./enrolment/notice-spread.ts";
import type { SupernodeKeys } from "./enrolment/supernode-keys.ts";
import type { DialPolicy } from "./links/dial-policy.ts";
import { LINK_REQUESTS, NODE_REQUESTS, OPENING_METHODS } from "./links/link-peer.ts";
import { linkHandlers } from "./links/link-service.ts";
import { Peers } from "./links/peers.ts";
import { Rooms } from "./links/rooms.ts";
import type { Member, Membership } from "./membership/membership-source.ts";
import { Attachments } from "./nodes/attachments.ts";
import { goodbye } from "./nodes/goodbye.ts";
import { nodeHandlers } from "./nodes/node-service.ts";
import { Publisher } from "./nodes/publisher.ts";
import { Door } from "./ports/door.ts";
import { LoopLoad } from "./ports/loop-load.ts";
import { InboxSubscriptions } from "./presence/inbox-subscriptions.ts";
import { LookUp } from "./presence/look-up.ts";
import { PresenceBoard } from "./presence/presence-board.ts";
import { WatchRegistry } from "./presence/watch-registry.ts";
import { HolderStandings } from "./records/holder-standing.ts";
import type { RecordStore } from "./records/record-store.ts";
import type { ReplicatedStore } from "./records/replication-parts.ts";
import { Replicator } from "./records/replicator.ts";
import { Shard } from "./records/shard.ts";
import type { RelayLimits } from "./relay-limits.ts";
import type { RelayTimes } from "./relay-times.ts";
import type { SearchService } from "./search/search-service.ts";
import type { ConnectionPhase } from "./sockets/connection.ts";
import { endpoint } from "./sockets/endpoint.ts";
import { openingHandlers } from "./sockets/opening.ts";
import type { RequestTally } from "./sockets/request-tally.ts";
import { SocketServer } from "./sockets/socket-server.ts";
import type { CallRelay } from "./turn/call-relay.ts";

export interface ServicesParts {
  readonly trust: NetworkTrust;
  readonly keys: SupernodeKeys;
  /** This supernode's own certificate, as it is now. */
  readonly self: () => Member;
  readonly dial: DialPolicy;
  readonly membership: Membership;
  readonly records: RecordStore & ReplicatedStore;
  readonly relay: Pick<CallRelay, "credentialsFor">;
  readonly search: SearchService;
  readonly notices: NetworkNotices;
  /** What the login server says to everybody, from itself. */
  fetchNotices(): Promise<FetchedNotices>;
  readonly tally: RequestTally;
  readonly times: RelayTimes;
  readonly limits: RelayLimits;
  readonly random: () => number;
  readonly log: Logger;
}

/** How long the last words to other supernodes may take. */
const FAREWELL_MS = 2_000;

export class Services {
  readonly socketServer: SocketServer;
  readonly attachments: Attachments;
  readonly #load = new LoopLoad();
  /** Before the port: whom of those who come it lets in. */
  readonly door: Door;
  readonly #rooms: Rooms;
  readonly standings: HolderStandings;
  readonly replicator: Replicator;
  readonly #publisher: Publisher;
  readonly #peers: Peers;
  readonly #inboxes: InboxSubscriptions;
  readonly #board: PresenceBoard;
  readonly #leaseWatches: WatchRegistry<UserId>;
  readonly #inboxWatches: WatchRegistry<InboxId>;
  readonly #notices: NoticeSpread;
  readonly #sweep: NodeJS.Timeout;

  constructor(parts: ServicesParts) {
    const { trust, keys, membership, records, notices, times, limits, random, log } = parts;
    const { anchor } = trust;
    const now = anchor.now;
    const self = parts.self().value.supernodeId;
    const onFault = (method: string, error: KithError) =>
      log.error({ err: error.cause ?? error, method }, "a request failed");

    this.#leaseWatches = new WatchRegistry(limits.maxWatchesPerLink);
    this.#inboxWatches = new WatchRegistry(limits.maxWatchesPerLink);
    this.attachments = new Attachments({ now, random, limits, times, elsewhere: () => this.#elsewhere() });
    const clock = () => performance.now();
    const load = () => this.#load.read();
    this.door = new Door({
      limits,
      proofMs: 2 * times.attachTimeoutMs,
      clock,
      load,
      isFull: () => this.attachments.room === 0,
    });
    const shard = new Shard({
      self,
      anchor,
      membership,
      records,
      watches: this.#leaseWatches,
      isRevoked: (serial) => notices.isRevoked(serial),
    });
    const local = linkHandlers({
      shard,
      attachments: this.attachments,
      inboxWatches: this.#inboxWatches,
      search: parts.search,
      notices,
      anchor,
      replicate: (peer, message) => this.replicator.receive(peer, message),
      isMember: () => membership.stage.kind === "member",
    });
    const identity = { anchor, signSecret: keys.signing.secretKey, self: parts.self, open: parts.dial.open };
    this.standings = new HolderStandings(times);
    const { standings } = this;
    this.#peers = new Peers({ self, membership, local, link: { identity, times, random }, standings, now, log });
    this.#rooms = new Rooms({
      self,
      membership,
      peers: this.#peers,
      random,
      clock,
      maxRoom: limits.maxAttachments,
    });
    this.replicator = new Replicator({ self, anchor, membership, peers: this.#peers, records, random });
    parts.search.start(this.#peers);
    this.#publisher = new Publisher({ membership, peers: this.#peers, now, random, times });
    this.#inboxes = new InboxSubscriptions(this.#peers, random);
    const seekers = { anchor, membership, peers: this.#peers, inboxes: this.#inboxes, times };
    this.#board = new PresenceBoard({ ...seekers, random });
    const isUnsettled = () => this.replicator.isUnsettled;
    const lookUp = new LookUp({ ...seekers, self, board: this.#board, standings, isUnsettled, log });
    const node = nodeHandlers({
      self,
      anchor,
      attachments: this.attachments,
      publisher: this.#publisher,
      board: this.#board,
      lookUp,
      peers: this.#peers,
      relay: parts.relay,
      search: parts.search,
      limits,
      clock,
      load,
    });
    const opening = openingHandlers({
      anchor,
      keys,
      self: parts.self,
      attachments: this.attachments,
      membership,
      peers: this.#peers,
      notices,
      door: this.door,
    });
    this.socketServer = new SocketServer({
      self: parts.self,
      successions: () => trust.bytes,
      endpoints: {
        opening: endpoint(OPENING_METHODS, opening, onFault),
        node: endpoint(NODE_REQUESTS, node, onFault),
        link: endpoint(LINK_REQUESTS, local, onFault),
      },
      limits,
      times,
      now,
      tally: parts.tally,
      closed: (phase) => this.#socketClosed(phase),
    });

    const { fetchNotices: fetch } = parts;
    const spread = { self, trust, notices, membership, peers: this.#peers, attachments: this.attachments };
    this.#notices = new NoticeSpread({ ...spread, fetch, random, times, log });

    this.attachments.onChange((attachment, change) => {
      for (const peer of this.#inboxWatches.watchersOf(attachment.inbox)) {
        peer.push({ name: "inboxChanged", value: change });
      }
      if (this.attachments.has(attachment)) return;
      this.#board.drop(attachment);
      this.#publisher.retire(attachment.inbox, change.lastSeenAt);
    });
    membership.onChange((change) => {
      if (change.kind === "left") this.socketServer.closeLinks(({ peer }) => peer.supernodeId === change.supernodeId);
    });
    this.#sweep = setInterval(() => {
      records.expire(now());
      standings.sweep(now());
      // Members are put out of the directory for that; others would stay for as long as they hold their link.
      this.socketServer.closeLinks(({ certificate }) => certificate.expiresAt <= now() || notices.isOver(certificate));
    }, times.sweepMs);
  }

  /** Sends the attached nodes elsewhere and waits until they have gone, at most this long. */
  async drain(withinMs: number): Promise<void> {
    this.attachments.refuseNewcomers();
    await goodbye(this.attachments, this.#rooms, withinMs);
  }

  /** Sends the attached nodes elsewhere, because nobody finds them here any more; who comes back later is welcome. */
  sendAway(withinMs: number): Promise<void> {
    return goodbye(this.attachments, this.#rooms, withinMs);
  }

  /** Whoever is still attached is gone now, and the directory is told before the links close. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#load.close();
    this.#notices.close();
    this.attachments.close();
    await this.#publisher.drain(FAREWELL_MS);
    this.#publisher.close();
    this.#board.close();
    this.#inboxes.close();
    this.replicator.close();
    this.#peers.close();
    await this.socketServer.close();
  }

  #elsewhere(): readonly SupernodeId[] {
    void this.#rooms.learn();
    return this.#rooms.elsewhere();
  }

  #socketClosed(phase: ConnectionPhase): void {
    if (phase.kind === "node") this.attachments.end(phase.attachment);
    if (phase.kind !== "link") return;
    this.#leaseWatches.drop(phase.peer);
    this.#inboxWatches.drop(phase.peer);
    this.replicator.linkClosed(phase.peer);
  }
}
