/**
 * Who tells us when the leases of watched users change: for every user WATCH_REPLICAS of
 * the holders, and another one at once where one does not answer or has lied.
 */
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { WATCH_REPLICAS } from "../../protocol/limits.ts";
import type { LeaseChange } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import { SubscriptionSet } from "../links/subscription-set.ts";
import type { Membership } from "../membership/membership-source.ts";

/** Users looked at in one go after a change of membership: their number must not stop the process for long. */
const REPLAN_SLICE = 200;

interface HolderSubscription {
  readonly users: SubscriptionSet<UserId>;
  release: () => void;
}

export interface LeaseSubscriptionsParts {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly random: () => number;
  /** A holder speaks of a user that is watched. Nothing of it is checked yet. */
  changed(from: SupernodeId, change: LeaseChange): void;
  /** At least one holder has told all that it knows of these users. */
  answered(userIds: readonly UserId[]): void;
}

export class LeaseSubscriptions {
  readonly #parts: LeaseSubscriptionsParts;
  /** The holders that are to tell, by user. */
  readonly #users = new Map<UserId, Set<SupernodeId>>();
  readonly #holders = new Map<SupernodeId, HolderSubscription>();
  readonly #toReplan = new Set<UserId>();
  #replanTimer: NodeJS.Immediate | undefined;

  constructor(parts: LeaseSubscriptionsParts) {
    this.#parts = parts;
    parts.peers.listen({
      pushed: (from, push) => {
        if (push.name === "leaseChanged" && this.#users.get(push.value.userId)?.has(from)) {
          parts.changed(from, push.value);
        }
      },
      lost: (supernodeId) => this.#holders.get(supernodeId)?.users.lost(),
      returned: (supernodeId) => this.#holders.get(supernodeId)?.users.hurry(),
    });
    parts.membership.onChange((change) => {
      if (change.kind !== "renewed") this.#replanLater(this.#users.keys());
    });
  }

  watch(userId: UserId): void {
    if (this.#users.has(userId)) return;
    this.#users.set(userId, new Set());
    this.#plan(userId);
  }

  unwatch(userId: UserId): void {
    for (const holder of this.#users.get(userId) ?? []) this.#drop(holder, userId);
    this.#users.delete(userId);
  }

  /** A holder is no longer to be trusted: others tell of its users where there are any. */
  avoid(holder: SupernodeId): void {
    for (const [userId, holders] of this.#users) {
      if (holders.has(holder)) this.#toReplan.add(userId);
    }
    this.#replanLater([]);
  }

  close(): void {
    clearImmediate(this.#replanTimer);
    for (const { users } of this.#holders.values()) users.close();
  }

  /** Settles which holders are to tell of the user: those that tell already, as long as they are good, then the next best. */
  #plan(userId: UserId): void {
    const present = this.#users.get(userId);
    if (!present) return;
    const holders = this.#parts.membership.holdersOf(userId);
    const rank = (holder: SupernodeId) => (this.#parts.peers.isGood(holder) ? 0 : 2) + (present.has(holder) ? 0 : 1);
    const chosen = [...holders].sort((a, b) => rank(a) - rank(b)).slice(0, WATCH_REPLICAS);
    for (const holder of present) {
      if (!chosen.includes(holder)) {
        present.delete(holder);
        this.#drop(holder, userId);
      }
    }
    for (const holder of chosen) {
      if (!present.has(holder)) {
        present.add(holder);
        this.#subscriptionAt(holder).users.want(userId);
      }
    }
  }

  #drop(holder: SupernodeId, userId: UserId): void {
    const subscription = this.#holders.get(holder);
    if (!subscription) return;
    subscription.users.unwant(userId);
    if (subscription.users.isEmpty) subscription.release();
  }

  #subscriptionAt(holder: SupernodeId): HolderSubscription {
    const known = this.#holders.get(holder);
    if (known) return known;
    const subscription: HolderSubscription = {
      release: () => undefined,
      users: new SubscriptionSet<UserId>({
        random: this.#parts.random,
        send: async (add, remove) => {
          await this.#parts.peers.call(holder, "watchLeases", { add, remove });
          subscription.release();
          subscription.release = subscription.users.isEmpty ? () => undefined : this.#parts.peers.hold(holder);
        },
        confirmed: (userIds) => this.#parts.answered(userIds),
        failed: (userIds) => this.#replanLater(userIds),
      }),
    };
    this.#holders.set(holder, subscription);
    return subscription;
  }

  #replanLater(userIds: Iterable<UserId>): void {
    for (const userId of userIds) this.#toReplan.add(userId);
    this.#replanTimer ??= setImmediate(() => this.#replanSlice());
  }

  #replanSlice(): void {
    this.#replanTimer = undefined;
    let count = 0;
    for (const userId of this.#toReplan) {
      if (count++ === REPLAN_SLICE) break;
      this.#toReplan.delete(userId);
      this.#plan(userId);
    }
    if (this.#toReplan.size > 0) this.#replanTimer = setImmediate(() => this.#replanSlice());
  }
}
