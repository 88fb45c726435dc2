/** Who here watches whom. Keeps every watched user's presence right and tells the watchers of every change. */
import { createHash } from "node:crypto";
import { toHex } from "../../protocol/bytes.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { UserPresence } from "../../protocol/presence.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { LeaseChange } from "../links/link-peer.ts";
import type { RelayTimes } from "../relay-times.ts";
import type { InboxSubscriptions } from "./inbox-subscriptions.ts";
import { LeaseSubscriptions, type LeaseSubscriptionsParts } from "./lease-subscriptions.ts";
import { trustRecord } from "./trusted-record.ts";
import { WatchedUser } from "./watched-user.ts";

/** Whoever is told: an attachment. */
export interface Watcher {
  push(name: "presence", presence: UserPresence): void;
}

export interface PresenceBoardParts extends Omit<LeaseSubscriptionsParts, "changed" | "answered"> {
  readonly anchor: TrustAnchor;
  readonly inboxes: InboxSubscriptions;
  readonly times: Pick<RelayTimes, "presenceSettleMs" | "sweepMs">;
}

interface Entry {
  readonly user: WatchedUser;
  readonly watchers: Set<Watcher>;
  /** A holder has told all that it knows. */
  isAnswered: boolean;
  /** A hash of what the watchers were told last, to tell nothing twice. */
  told: string | null;
  /** Waiting for the first complete answer; null: nobody. */
  settled: Set<(entry: Entry) => void> | null;
}

export class PresenceBoard {
  readonly #parts: PresenceBoardParts;
  readonly #leases: LeaseSubscriptions;
  readonly #entries = new Map<UserId, Entry>();
  readonly #watchedBy = new Map<Watcher, Set<UserId>>();
  /** What they are about to be answered need not be pushed to them as well. */
  readonly #answering = new Set<Watcher>();
  readonly #changed = new Set<UserId>();
  readonly #sweep: NodeJS.Timeout;

  constructor(parts: PresenceBoardParts) {
    this.#parts = parts;
    this.#leases = new LeaseSubscriptions({
      ...parts,
      changed: (from, change) => this.#learn(from, change),
      answered: (userIds) => {
        for (const userId of userIds) this.#answered(userId);
      },
    });
    this.#sweep = setInterval(() => {
      for (const { user } of this.#entries.values()) user.age();
    }, parts.times.sweepMs);
  }

  /**
   * Replaces the set of users that the watcher is told of.
   * @returns what is known of them within presenceSettleMs; the rest is pushed once it is known
   */
  async setWatched(watcher: Watcher, userIds: readonly UserId[]): Promise<UserPresence[]> {
    const wanted = new Set(userIds);
    const before = this.#watchedBy.get(watcher) ?? new Set<UserId>();
    this.#watchedBy.set(watcher, wanted);
    for (const userId of before) if (!wanted.has(userId)) this.#unwatch(watcher, userId);
    for (const userId of wanted) if (!before.has(userId)) this.#watch(watcher, userId);
    this.#answering.add(watcher);
    await this.#settled(wanted);
    this.#answering.delete(watcher);
    return this.#known(wanted);
  }

  /** The watcher has left. */
  drop(watcher: Watcher): void {
    for (const userId of this.#watchedBy.get(watcher) ?? []) this.#unwatch(watcher, userId);
    this.#watchedBy.delete(watcher);
  }

  /** What is known of a user that is watched anyhow; null if it is not, or not known yet. */
  knownOf(userId: UserId): UserPresence | null {
    const entry = this.#entries.get(userId);
    return entry?.isAnswered ? entry.user.presence() : null;
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#leases.close();
  }

  #watch(watcher: Watcher, userId: UserId): void {
    const known = this.#entries.get(userId);
    if (known) {
      known.watchers.add(watcher);
      return;
    }
    const user = new WatchedUser(userId, this.#parts.inboxes, this.#parts.anchor.now, () => this.#noteChange(userId));
    this.#entries.set(userId, {
      user,
      watchers: new Set([watcher]),
      isAnswered: false,
      told: null,
      settled: null,
    });
    this.#leases.watch(userId);
  }

  #unwatch(watcher: Watcher, userId: UserId): void {
    const entry = this.#entries.get(userId);
    if (!entry?.watchers.delete(watcher) || entry.watchers.size > 0) return;
    this.#entries.delete(userId);
    this.#leases.unwatch(userId);
    entry.user.close();
    for (const settle of entry.settled ?? []) settle(entry);
  }

  /** Of a holder that passes on what does not hold nothing more is wanted. */
  #learn(from: SupernodeId, change: LeaseChange): void {
    const user = this.#entries.get(change.userId)?.user;
    if (!user?.isNews(change)) return;
    try {
      user.learn(trustRecord(this.#parts.anchor, change.userId, change));
    } catch (error) {
      this.#parts.peers.accuse(from, error);
      this.#leases.avoid(from);
    }
  }

  #answered(userId: UserId): void {
    const entry = this.#entries.get(userId);
    if (!entry || entry.isAnswered) return;
    entry.isAnswered = true;
    this.#noteChange(userId);
  }

  /** Gathered, so that a change of several parts is told once. */
  #noteChange(userId: UserId): void {
    if (this.#changed.size === 0) setImmediate(() => this.#tellAll());
    this.#changed.add(userId);
  }

  #tellAll(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const userId of changed) {
      const entry = this.#entries.get(userId);
      if (entry?.isAnswered) this.#tell(entry);
    }
  }

  #tell(entry: Entry): void {
    const presence = entry.user.presence();
    if (!presence) return;
    for (const settle of entry.settled ?? []) settle(entry);
    const summary = summaryOf(presence);
    if (summary === entry.told) return;
    entry.told = summary;
    for (const watcher of entry.watchers) {
      if (!this.#answering.has(watcher)) watcher.push("presence", presence);
    }
  }

  async #settled(userIds: ReadonlySet<UserId>): Promise<void> {
    const pending = [...userIds].flatMap((userId) => this.#entries.get(userId) ?? []).filter(isPending);
    if (pending.length === 0) return;
    await new Promise<void>((resolve) => {
      const waiting = new Set(pending);
      const done = () => {
        clearTimeout(timer);
        for (const entry of pending) {
          entry.settled?.delete(settle);
          if (entry.settled?.size === 0) entry.settled = null;
        }
        resolve();
      };
      const timer = setTimeout(done, this.#parts.times.presenceSettleMs);
      const settle = (entry: Entry) => {
        waiting.delete(entry);
        if (waiting.size === 0) done();
      };
      for (const entry of pending) {
        entry.settled ??= new Set();
        entry.settled.add(settle);
      }
    });
  }

  #known(userIds: ReadonlySet<UserId>): UserPresence[] {
    const presences: UserPresence[] = [];
    for (const userId of userIds) {
      const entry = this.#entries.get(userId);
      const presence = entry?.isAnswered ? entry.user.presenceByNow() : null;
      if (presence) presences.push(presence);
    }
    return presences;
  }
}

function isPending(entry: Entry): boolean {
  return !entry.isAnswered || entry.user.presence() === null;
}

/** Everything that a watcher would see differently; of someone online, the time passes without being news. */
function summaryOf({ devices }: UserPresence): string {
  const all = devices
    .map(({ inbox, state, sealedStatus, lastSeenAt, lease }) =>
      [inbox, state, toHex(sealedStatus), state === "online" ? "" : lastSeenAt, toHex(lease.subarray(-8))].join(" "),
    )
    .join("\n");
  return createHash("sha256").update(all).digest("base64");
}
