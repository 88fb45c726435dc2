/** Finding a user: one holder is asked, the next at once if it is slow, fails or lies; the homes say how the devices do. */
import { KithError } from "../protocol/errors.ts";
import type { SupernodeId, UserId } from "../protocol/identifiers.ts";
import { holdersOf } from "../protocol/placement.ts";
import type { UserPresence } from "../protocol/presence.ts";
import type { TrustAnchor } from "../protocol/trust.ts";
import type { InboxSubscriptions } from "./inbox-subscriptions.ts";
import type { Membership } from "./membership-source.ts";
import type { Peers } from "./peers.ts";
import type { PresenceBoard } from "./presence-board.ts";
import { isSaidToBeThere, type LeaseRecord } from "./record-store.ts";
import type { RelayTimes } from "./relay-times.ts";
import { trustRecord } from "./trusted-record.ts";
import { WatchedUser } from "./watched-user.ts";
import { withinMs } from "./within.ts";

/** That a user is unknown is believed of two holders, since one may have just lost or hidden the record. */
const ANSWERS_FOR_NOTHING = 2;

export interface LookUpParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly inboxes: InboxSubscriptions;
  readonly board: PresenceBoard;
  readonly times: Pick<RelayTimes, "lookupHedgeMs" | "presenceSettleMs">;
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
      const records = await this.#find(userId, holders);
      for (const record of records) user.learn(record);
      const presence = await settled();
      if (!this.#hasPerhapsMoved(records, presence)) return presence;
      await this.#askAll(userId, holders, (record) => user.learn(record));
      return await settled();
    } finally {
      user.close();
    }
  }

  /** This supernode first if it is one, those that do not answer last. */
  #holders(userId: UserId): SupernodeId[] {
    const { self, membership, peers } = this.#parts;
    const rank = (holder: SupernodeId) => (holder === self ? 0 : peers.isGood(holder) ? 1 : 2);
    return holdersOf(userId, membership.members().keys()).sort((a, b) => rank(a) - rank(b));
  }

  /** @param holders are taken from the front: those left over have not been asked. */
  #find(userId: UserId, holders: SupernodeId[]): Promise<LeaseRecord[]> {
    return new Promise((resolve, reject) => {
      let asked = 0;
      let failed = 0;
      let empty = 0;
      let hedge: NodeJS.Timeout | undefined;
      let isOver = false;
      const finish = (settle: () => void) => {
        isOver = true;
        clearTimeout(hedge);
        settle();
      };
      const next = () => {
        if (isOver) return;
        clearTimeout(hedge);
        const holder = holders.shift();
        if (!holder) {
          if (empty + failed < asked) return;
          finish(() => (empty > 0 ? resolve([]) : reject(new KithError("supernode-unreachable"))));
          return;
        }
        asked++;
        hedge = setTimeout(next, this.#parts.times.lookupHedgeMs);
        this.#ask(holder, userId).then(
          (records) => {
            if (isOver) return;
            if (records.length > 0) return finish(() => resolve(records));
            if (++empty >= ANSWERS_FOR_NOTHING) return finish(() => resolve([]));
            next();
          },
          () => {
            failed++;
            next();
          },
        );
      };
      next();
    });
  }

  /** Whoever answers within presenceSettleMs is heard. */
  async #askAll(userId: UserId, holders: readonly SupernodeId[], learn: (record: LeaseRecord) => void): Promise<void> {
    const answers = holders.map((holder) =>
      this.#ask(holder, userId).then(
        (records) => {
          for (const record of records) learn(record);
        },
        () => undefined,
      ),
    );
    await withinMs(this.#parts.times.presenceSettleMs, Promise.all(answers));
  }

  /** All records of an answer hold, or the answer does not. */
  async #ask(holder: SupernodeId, userId: UserId): Promise<LeaseRecord[]> {
    const { records } = await this.#parts.peers.call(holder, "find", { userId });
    try {
      return records.map((record) => trustRecord(this.#parts.anchor, userId, record));
    } catch (error) {
      this.#parts.peers.accuse(holder, error);
      throw error;
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
