/**
 * The buddy list as the login server keeps it, cached, and the keys that this device has
 * pinned: whatever the server says later, a handle keeps the keys that it had first.
 */
import { decodeUserCertificate, type UserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Handle, UserId } from "../../protocol/identifiers.ts";
import type { BuddyDelta, BuddyEntry } from "../../protocol/login-api.ts";
import { sameAccountKeys, type TrustAnchor, trustUserCertificate } from "../../protocol/trust.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db, Tx } from "../storage/database-schema.ts";

export interface Buddy {
  readonly userId: UserId;
  readonly handle: Handle;
  readonly state: BuddyEntry["state"];
  readonly greeting: string;
  readonly signKey: Uint8Array;
  readonly boxKey: Uint8Array;
  /** These keys are not the ones that were pinned for the handle: nothing is sent, nothing is believed. */
  readonly keyChanged: boolean;
  /** Opens their status; null until they have sent it. */
  readonly profileKey: Uint8Array | null;
  readonly profileKeyVersion: number;
  /** The user wants nothing from them. */
  readonly blocked: boolean;
  /** Alias and groups, sealed (buddy-label.ts); empty for none. */
  readonly label: Uint8Array;
  readonly revision: number;
}

export class BuddyList {
  readonly #db: Db;
  readonly #anchor: TrustAnchor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #buddies = new Map<UserId, Buddy>();
  /** Changes follow one another, so that two deltas never interleave. */
  #queue: Promise<unknown> = Promise.resolve();
  #revision = 0;
  /** Called after every change, until they are content. */
  readonly #deciding = new Set<() => void>();

  constructor(db: Db, anchor: TrustAnchor, clock: Clock, log: Log) {
    this.#db = db;
    this.#clock = clock;
    this.#anchor = anchor;
    this.#log = log;
  }

  async load(): Promise<void> {
    const owner = await this.#db.selectFrom("owner").select("buddy_revision").executeTakeFirst();
    this.#revision = owner?.buddy_revision ?? 0;
    for (const row of await this.#db.selectFrom("buddies").selectAll().execute()) {
      const { signKey, boxKey } = decodeUserCertificate(bytesOf(row.certificate)).value;
      this.#buddies.set(row.user_id, {
        userId: row.user_id,
        handle: row.handle,
        state: row.state,
        greeting: row.greeting,
        signKey,
        boxKey,
        keyChanged: row.key_changed === 1,
        profileKey: row.profile_key && bytesOf(row.profile_key),
        profileKeyVersion: row.profile_key_version,
        blocked: row.blocked === 1,
        label: row.label ? bytesOf(row.label) : new Uint8Array(),
        revision: row.revision,
      });
    }
  }

  /** What has been taken over from the server: the `since` of the next request. */
  get revision(): number {
    return this.#revision;
  }

  /** Everyone on the list, requests included. */
  all(): Buddy[] {
    return [...this.#buddies.values()].filter(({ state }) => state !== "removed");
  }

  /** People of whom the user wants nothing. */
  blocked(): Buddy[] {
    return [...this.#buddies.values()].filter(({ blocked }) => blocked);
  }

  get(userId: UserId): Buddy | undefined {
    return this.#buddies.get(userId);
  }

  /** A buddy whose keys are the pinned ones; null for everybody else: nothing is taken from them, nothing sent. */
  trusted(userId: UserId): Buddy | null {
    const buddy = this.#buddies.get(userId);
    return buddy?.state === "buddy" && !buddy.keyChanged ? buddy : null;
  }

  /** As `trusted`, but says why not. @throws KithError `not-a-buddy`, `key-changed` */
  require(userId: UserId): Buddy {
    const buddy = this.#buddies.get(userId);
    if (buddy?.state !== "buddy") throw new KithError("not-a-buddy");
    if (buddy.keyChanged) throw new KithError("key-changed", { handle: buddy.handle });
    return buddy;
  }

  /** Asked, by one of the two, and not answered yet. */
  isPending(userId: UserId): boolean {
    const state = this.#buddies.get(userId)?.state;
    return state === "asked-by-me" || state === "asks-me";
  }

  /** Resolves once the request is answered, or after this time. */
  decided(userId: UserId, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        cancel();
        this.#deciding.delete(check);
        resolve();
      };
      const check = () => {
        if (!this.isPending(userId)) settle();
      };
      const cancel = this.#clock.after(withinMs, settle);
      this.#deciding.add(check);
    });
  }

  /** Takes over lines of the list and, with `advance`, the revision that they reach up to. */
  apply(delta: Pick<BuddyDelta, "entries" | "revision">, advance: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const taken: Buddy[] = [];
      const revision = advance ? Math.max(this.#revision, delta.revision) : this.#revision;
      await this.#db.transaction().execute(async (tx) => {
        for (const entry of delta.entries) {
          const buddy = await this.#take(tx, entry);
          if (buddy) taken.push(buddy);
        }
        await tx.updateTable("owner").set({ buddy_revision: revision }).execute();
      });
      for (const buddy of taken) this.#buddies.set(buddy.userId, buddy);
      this.#revision = revision;
      for (const check of [...this.#deciding]) check();
    });
  }

  /** The server's list is older than ours (it was restored from a backup): all of it counts anew. */
  startOver(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#db.transaction().execute(async (tx) => {
        await tx.updateTable("buddies").set({ revision: 0 }).execute();
        await tx.updateTable("owner").set({ buddy_revision: 0 }).execute();
      });
      for (const [userId, buddy] of this.#buddies) this.#buddies.set(userId, { ...buddy, revision: 0 });
      this.#revision = 0;
    });
  }

  /** The user has decided: the next keys of this handle are taken as its first. */
  forgetPin(handle: Handle): Promise<void> {
    return this.#inTurn(async () => {
      await this.#db.deleteFrom("pins").where("handle", "=", handle).execute();
    });
  }

  /** A buddy has sent the key of their status. @returns whether it is news */
  setProfileKey(userId: UserId, profileKey: Uint8Array, version: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const buddy = this.#buddies.get(userId);
      if (!buddy || (buddy.profileKey && version <= buddy.profileKeyVersion)) return false;
      await this.#db
        .updateTable("buddies")
        .set({ profile_key: profileKey, profile_key_version: version })
        .where("user_id", "=", userId)
        .execute();
      this.#buddies.set(userId, { ...buddy, profileKey, profileKeyVersion: version });
      return true;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** @returns null for a line that is not newer, or that the login server could not have written honestly */
  async #take(tx: Tx, entry: BuddyEntry): Promise<Buddy | null> {
    const before = this.#buddies.get(entry.userId);
    if (before && before.revision >= entry.revision) return null;
    if (entry.state === "removed" && entry.certificate.length === 0)
      return before ? this.#depart(tx, before, entry.revision) : null;
    const certificate = this.#readCertificate(entry);
    if (!certificate) return null;
    const keyChanged = entry.state !== "removed" && !(await this.#isPinned(tx, certificate));
    const buddy: Buddy = {
      userId: entry.userId,
      handle: certificate.handle,
      state: entry.state,
      greeting: entry.greeting,
      signKey: certificate.signKey,
      boxKey: certificate.boxKey,
      keyChanged,
      profileKey: before?.profileKey ?? null,
      profileKeyVersion: before?.profileKeyVersion ?? 0,
      blocked: entry.blocked,
      label: entry.label,
      revision: entry.revision,
    };
    const row = {
      handle: buddy.handle,
      state: buddy.state,
      greeting: buddy.greeting,
      certificate: entry.certificate,
      revision: buddy.revision,
      key_changed: keyChanged ? 1 : 0,
      blocked: entry.blocked ? 1 : 0,
      label: entry.label,
    };
    await tx
      .insertInto("buddies")
      .values({ ...row, user_id: buddy.userId, profile_key: null, profile_key_version: 0 })
      .onConflict((conflict) => conflict.column("user_id").doUpdateSet(row))
      .execute();
    return buddy;
  }

  /** Their account was deleted: the server has nothing left of them, and we know who they were. */
  async #depart(tx: Tx, before: Buddy, revision: number): Promise<Buddy> {
    await tx.updateTable("buddies").set({ state: "removed", revision }).where("user_id", "=", before.userId).execute();
    return { ...before, state: "removed", revision };
  }

  /** Buddies who have been away for long have run-out certificates: their keys are still theirs. */
  #readCertificate(entry: BuddyEntry): UserCertificate | null {
    try {
      const { issuedAt } = decodeUserCertificate(entry.certificate).value;
      const then = Math.min(issuedAt, this.#anchor.now());
      const { value } = trustUserCertificate({ ...this.#anchor, now: () => then }, entry.certificate);
      if (value.userId === entry.userId && value.handle === entry.handle) return value;
      this.#log.warn("buddy list line with somebody else's certificate");
    } catch (error) {
      this.#log.warn("buddy list line without a genuine certificate", { code: KithError.from(error).code });
    }
    return null;
  }

  /** Whether these are the keys pinned for the handle; the first ones seen are pinned now. */
  async #isPinned(tx: Tx, { handle, userId, signKey, boxKey }: UserCertificate): Promise<boolean> {
    const pin = await tx.selectFrom("pins").selectAll().where("handle", "=", handle).executeTakeFirst();
    if (!pin) {
      await tx.insertInto("pins").values({ handle, user_id: userId, sign_key: signKey, box_key: boxKey }).execute();
      return true;
    }
    return sameAccountKeys({ signKey: bytesOf(pin.sign_key), boxKey: bytesOf(pin.box_key) }, { signKey, boxKey });
  }
}
