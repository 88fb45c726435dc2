/** Finding a user: one holder is asked, the next at once if it is slow, fails or lies; the homes say how the devices do. */
import type { Logger } from "pino";
import { type ErrorCode, KithError } from "../../protocol/errors.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { UserPresence } from "../../protocol/presence.ts";
import type { Output } from "../../protocol/rpc.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { LINK_REQUESTS } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import {
  type HolderAnswer,
  type QueryNetwork,
  type QueryOptions,
  type QueryResult,
  queryHolders,
} from "../records/holder-query.ts";
import type { HolderStandings } from "../records/holder-standing.ts";
import { isSaidToBeThere, type LeaseRecord } from "../records/record-store.ts";
import type { RelayTimes } from "../relay-times.ts";
import { withinMs } from "../within.ts";
import type { InboxSubscriptions } from "./inbox-subscriptions.ts";
import type { PresenceBoard } from "./presence-board.ts";
import { type ToldRecord, trustRecord } from "./trusted-record.ts";
import { WatchedUser } from "./watched-user.ts";

/** That a user is unknown is believed of so many holders, as long as all have what is theirs to hold. */
const ANSWERS_FOR_NOTHING = 3;

/** What says nothing of the holder but that it could not be asked. */
const SILENT: ReadonlySet<ErrorCode> = new Set(["timeout", "supernode-unreachable"]);

export interface LookUpParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly inboxes: InboxSubscriptions;
  readonly board: PresenceBoard;
  readonly standings: HolderStandings;
  /** Whether records may be on their way to new holders, who then do not have them yet. */
  readonly isUnsettled: () => boolean;
  readonly times: Pick<RelayTimes, "lookupHedgeMs" | "presenceSettleMs" | "linkRequestMs">;
  readonly log: Logger;
}

export class LookUp {
  readonly #parts: LookUpParts;

  constructor(parts: LookUpParts) {
    this.#parts = parts;
  }

  /** @throws KithError `supernode-unreachable` if no holder answers */
  async lookUp(userId: UserId): Promise<UserPresence> {
    const known = this.#parts.board.knownOf(userId);
    if (known) return known;
    const holders = this.#holders(userId);
    const { inboxes, anchor } = this.#parts;
    let heard: () => void = () => undefined;
    const user = new WatchedUser(userId, inboxes, anchor.now, () => heard());
    const settled = () => this.#settled(user, (listener) => (heard = listener));
    try {
      const first = await this.#query(userId, holders, "first");
      if (first.answers === 0) throw new KithError("supernode-unreachable");
      for (const record of first.records) user.learn(record);
      const presence = await settled();
      if (!this.#hasPerhapsMoved(first.records, presence)) return presence;
      const all = await this.#query(userId, holders, "outvote");
      for (const record of all.records) user.learn(record);
      return await settled();
    } finally {
      user.close();
    }
  }

  /** This supernode first if it is one, those that do not answer last. */
  #holders(userId: UserId): SupernodeId[] {
    const { self, membership, peers } = this.#parts;
    const rank = (holder: SupernodeId) => (holder === self ? 0 : peers.isGood(holder) ? 1 : 2);
    return membership.holdersOf(userId).sort((a, b) => rank(a) - rank(b));
  }

  #query(
    userId: UserId,
    holders: readonly SupernodeId[],
    confidence: QueryOptions["confidence"],
  ): Promise<QueryResult> {
    const { anchor, standings, times, isUnsettled } = this.#parts;
    const options = {
      confidence,
      answersForNothing: isUnsettled() ? holders.length : ANSWERS_FOR_NOTHING,
      hedgeMs: times.lookupHedgeMs,
      patienceMs: confidence === "first" ? times.linkRequestMs : times.presenceSettleMs,
    };
    const network: QueryNetwork = {
      ask: (holder, answered) => void this.#ask(holder, userId).then(answered),
      after: (ms, task) => {
        const timer = setTimeout(task, ms);
        return () => clearTimeout(timer);
      },
      now: anchor.now,
    };
    return new Promise((resolve) => queryHolders(holders, options, standings, network, resolve));
  }

  async #ask(holder: SupernodeId, userId: UserId): Promise<HolderAnswer> {
    let told: Output<typeof LINK_REQUESTS.find>;
    try {
      told = await this.#parts.peers.call(holder, "find", { userId });
    } catch (error) {
      const isSilent = error instanceof KithError && SILENT.has(error.code);
      return { kind: "failed", fault: isSilent ? "silent" : "refused" };
    }
    return { kind: "told", checked: () => this.#checked(holder, userId, told.records) };
  }

  /** All records of an answer hold, or the answer does not. */
  #checked(holder: SupernodeId, userId: UserId, told: readonly ToldRecord[]): LeaseRecord[] | null {
    const { anchor, log } = this.#parts;
    try {
      return told.map((record) => trustRecord(anchor, userId, record));
    } catch (error) {
      log.warn({ err: error, supernodeId: holder }, "a holder has answered with what does not hold");
      return null;
    }
  }

  async #settled(user: WatchedUser, listen: (listener: () => void) => void): Promise<UserPresence> {
    if (!user.presence()) {
      const heard = new Promise<void>((resolve) => {
        listen(() => {
          if (user.presence()) resolve();
        });
      });
      await withinMs(this.#parts.times.presenceSettleMs, heard);
    }
    return user.presenceByNow();
  }

  /** The holder says that a device is there, its home says otherwise: the other holders may know where it went. */
  #hasPerhapsMoved(records: readonly LeaseRecord[], { devices }: UserPresence): boolean {
    const now = this.#parts.anchor.now();
    return devices.every(({ state }) => state !== "online") && records.some((record) => isSaidToBeThere(record, now));
  }
}
