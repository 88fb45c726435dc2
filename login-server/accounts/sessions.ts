/** Which devices have a session open here, and what is pushed to them. */

import type { z } from "zod";
import type { DeviceAddress, DeviceId, UserId } from "../../protocol/identifiers.ts";
import type { LOGIN_PUSHES } from "../../protocol/login-api.ts";
import type { BuddyDelta } from "../buddies/buddy-lists.ts";
import type { Instances } from "../instances/news.ts";

type Pushes = typeof LOGIN_PUSHES;
export type Push = <K extends keyof Pushes>(name: K, value: z.infer<Pushes[K]>) => void;

/** One device's open session. */
export interface Session {
  readonly device: DeviceAddress;
  readonly push: Push;
  /** Closes the connection once what was pushed is on its way. */
  end(): void;
}

interface SessionParts {
  delta(owner: UserId, since: number): Promise<BuddyDelta>;
  /** Who serve the same network, and have other devices of the same accounts. */
  readonly others: Instances;
  fault(what: string, error: unknown): void;
}

/** The open sessions of one account. */
interface OnlineAccount {
  readonly sessions: Map<DeviceId, Session>;
  /** All sessions have got the list up to here, or fetch it themselves. */
  pushedRevision: number;
  /** Pushes follow each other, so that no device sees revisions out of order. */
  pushing: Promise<void>;
}

export class Sessions {
  readonly #accounts = new Map<UserId, OnlineAccount>();
  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /**
   * From here on the session gets every change of its list after `revision`. A device that
   * opens a second session ends its first: that one's socket is dead or about to be.
   */
  add(session: Session, revision: number): void {
    const { userId, deviceId } = session.device;
    const account = this.#accounts.get(userId) ?? {
      sessions: new Map(),
      pushedRevision: revision,
      pushing: Promise.resolve(),
    };
    this.#accounts.set(userId, account);
    account.pushedRevision = Math.min(account.pushedRevision, revision);
    const older = account.sessions.get(deviceId);
    account.sessions.set(deviceId, session);
    older?.end();
    this.#parts.others.tell({ kind: "session", userId, deviceId });
  }

  /** The device has opened a session at another instance. */
  movedAway({ userId, deviceId }: DeviceAddress): void {
    this.#accounts.get(userId)?.sessions.get(deviceId)?.end();
  }

  remove(session: Session): void {
    const { userId, deviceId } = session.device;
    const account = this.#accounts.get(userId);
    if (account?.sessions.get(deviceId) !== session) return;
    account.sessions.delete(deviceId);
    if (account.sessions.size === 0) this.#accounts.delete(userId);
  }

  /** Devices that have a session open. */
  get devices(): number {
    return [...this.#accounts.values()].reduce((sum, { sessions }) => sum + sessions.size, 0);
  }

  /** Accounts of which at least one device has. */
  get accounts(): number {
    return this.#accounts.size;
  }

  has({ userId, deviceId }: DeviceAddress): boolean {
    return this.#accounts.get(userId)?.sessions.has(deviceId) ?? false;
  }

  online(): UserId[] {
    return [...this.#accounts.keys()];
  }

  isOnline(userId: UserId): boolean {
    return this.#accounts.has(userId);
  }

  /** The open sessions of these accounts. */
  of(users: readonly UserId[]): Session[] {
    return users.flatMap((userId) => [...(this.#accounts.get(userId)?.sessions.values() ?? [])]);
  }

  /** Pushes what is new in an account's buddy list to all of its devices, wherever they are connected. */
  listChanged(owner: UserId): void {
    this.#pushSoon(owner);
    this.#parts.others.tell({ kind: "account", userId: owner });
  }

  /** The database has the list at this revision: pushes it if the devices here do not have it yet. */
  reached(owner: UserId, revision: number): void {
    const account = this.#accounts.get(owner);
    if (account && revision > account.pushedRevision) this.#pushSoon(owner);
  }

  #pushSoon(owner: UserId): void {
    const account = this.#accounts.get(owner);
    if (!account) return;
    account.pushing = account.pushing
      .then(() => this.#pushList(owner, account))
      .catch((error: unknown) => this.#parts.fault("push of a buddy list", error));
  }

  supernodesChanged(revision: number): void {
    for (const { sessions } of this.#accounts.values()) {
      for (const session of sessions.values()) session.push("supernodes", { revision });
    }
  }

  networkKeysChanged(successions: Uint8Array): void {
    for (const { sessions } of this.#accounts.values()) {
      for (const session of sessions.values()) session.push("networkKeys", { successions });
    }
  }

  /** Tells a device that it was signed out, and ends its session. */
  signOut({ userId, deviceId }: DeviceAddress): void {
    const session = this.#accounts.get(userId)?.sessions.get(deviceId);
    if (session) this.signOutHere(session);
    this.#parts.others.tell({ kind: "account", userId });
  }

  signOutHere(session: Session): void {
    session.push("signedOut", {});
    session.end();
  }

  async #pushList(owner: UserId, account: OnlineAccount): Promise<void> {
    let delta: BuddyDelta;
    do {
      delta = await this.#parts.delta(owner, account.pushedRevision);
      if (delta.entries.length === 0) return;
      account.pushedRevision = delta.revision;
      for (const session of account.sessions.values()) session.push("buddies", delta);
    } while (delta.more);
  }
}
