/** Buddy lists: one per account, with a revision; every change is made on both sides at once. */
import type { Kysely } from "kysely";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { Handle, UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { type BuddyEntry, DEPARTED_HANDLE, type LOGIN_PUSHES, MAX_DELTA_ENTRIES } from "../../protocol/login-api.ts";
import type { Schema } from "../storage/schema.ts";
import { act, type Mark, mark } from "./buddy-changes.ts";
import { entryOf, linesOf, NO_BYTES } from "./buddy-lines.ts";
import type { BuddyAction } from "./buddy-rules.ts";

export type BuddyDelta = z.infer<typeof LOGIN_PUSHES.buddies>;

interface BuddyListParts {
  readonly db: Kysely<Schema>;
  /** Told after the change is stored, once for each list that has changed. */
  changed(owner: UserId): void;
}

/** What a line takes besides its greeting, certificate and label: names, IDs and numbers in JSON, at their longest. */
const LINE_BYTES = 256;
/** Leaves room for the rest of the packet. */
const MAX_PAGE_BYTES = LIMITS.maxFrameBytes - 1_024;

export class BuddyLists {
  readonly #parts: BuddyListParts;

  constructor(parts: BuddyListParts) {
    this.#parts = parts;
  }

  /** The revision of the newest change. @throws KithError `signed-out-elsewhere` if the account is gone */
  async revision(owner: UserId): Promise<number> {
    const account = await this.#parts.db
      .selectFrom("accounts")
      .select("buddy_revision")
      .where("user_id", "=", owner)
      .executeTakeFirst();
    if (!account) throw new KithError("signed-out-elsewhere");
    return account.buddy_revision;
  }

  /**
   * The next lines that have changed after `since`, oldest change first; removed lines too.
   * A device that knows more than this server, which then was restored from a backup, gets all of it again.
   */
  async delta(owner: UserId, since: number): Promise<BuddyDelta> {
    // The revision first: a change in between comes once more with the next delta, but is never missed.
    const newest = await this.revision(owner);
    const after = since > newest ? 0 : since;
    const lines = await linesOf(this.#parts.db, owner)
      .where("revision", ">", after)
      .orderBy("revision")
      .limit(MAX_DELTA_ENTRIES)
      .execute();
    const departed = await this.#departed(owner, after);
    const entries = firstPage([...lines.map(entryOf), ...departed].sort((a, b) => a.revision - b.revision));
    const last = entries.at(-1)?.revision ?? newest;
    return { entries, revision: last, more: last < newest };
  }

  /** Buddies whose accounts were deleted. */
  async #departed(owner: UserId, after: number): Promise<BuddyEntry[]> {
    const rows = await this.#parts.db
      .selectFrom("departed_buddies")
      .select(["peer_id", "revision"])
      .where("owner_id", "=", owner)
      .where("revision", ">", after)
      .orderBy("revision")
      .limit(MAX_DELTA_ENTRIES)
      .execute();
    return rows.map(({ peer_id, revision }) => departedEntry(peer_id, revision));
  }

  /** @throws KithError `no-such-user`, `buddy-is-self`, `already-requested`, `already-buddies`, `too-large` */
  async request(owner: UserId, handle: Handle, greeting: string): Promise<BuddyEntry> {
    const peer = await this.#parts.db
      .selectFrom("accounts")
      .select("user_id")
      .where("handle", "=", handle)
      .executeTakeFirst();
    if (!peer) throw new KithError("no-such-user", { handle });
    return this.#requireEntry(await this.#act("request", owner, peer.user_id, greeting));
  }

  /** Accepting once more answers the same. @throws KithError `no-such-request` */
  async accept(owner: UserId, peer: UserId): Promise<BuddyEntry> {
    return this.#requireEntry(await this.#act("accept", owner, peer));
  }

  /** Declining once more is no error. @throws KithError `no-such-request` */
  async decline(owner: UserId, peer: UserId): Promise<void> {
    await this.#act("decline", owner, peer);
  }

  /** Ends whatever there is between the two: friendship or an open request of either side. */
  async remove(owner: UserId, peer: UserId): Promise<void> {
    await this.#act("remove", owner, peer);
  }

  /** Removes them, and lets none of their requests through; doing it once more is no error. @throws KithError `no-such-request` */
  async block(owner: UserId, peer: UserId): Promise<void> {
    const { db, changed } = this.#parts;
    const { lists } = await db.transaction().execute(async (transaction) => {
      const result = await act(transaction, "remove", owner, peer);
      await mark(transaction, owner, peer, { blocked: 1 });
      return result;
    });
    for (const list of new Set([owner, ...lists])) changed(list);
  }

  /** @throws KithError `no-such-request` */
  async unblock(owner: UserId, peer: UserId): Promise<void> {
    await this.#mark(owner, peer, { blocked: 0 });
  }

  /** @param label sealed; empty takes it away. @throws KithError `no-such-request` */
  async label(owner: UserId, peer: UserId, label: Uint8Array): Promise<void> {
    await this.#mark(owner, peer, { label: label.length === 0 ? null : label });
  }

  async #mark(owner: UserId, peer: UserId, change: Mark): Promise<void> {
    const { db, changed } = this.#parts;
    await db.transaction().execute((transaction) => mark(transaction, owner, peer, change));
    changed(owner);
  }

  async #act(action: BuddyAction, owner: UserId, peer: UserId, greeting = ""): Promise<BuddyEntry | undefined> {
    const { db, changed } = this.#parts;
    const { entry, lists } = await db
      .transaction()
      .execute((transaction) => act(transaction, action, owner, peer, greeting));
    for (const list of lists) changed(list);
    return entry && entryOf(entry);
  }

  #requireEntry(entry: BuddyEntry | undefined): BuddyEntry {
    if (!entry) throw new KithError("no-such-request");
    return entry;
  }
}

/** As many of the first lines as one frame holds. */
function firstPage(entries: readonly BuddyEntry[]): BuddyEntry[] {
  let room = MAX_PAGE_BYTES;
  const beyond = entries.findIndex((entry) => {
    room -= sizeOf(entry);
    return room < 0;
  });
  return entries.slice(0, Math.min(beyond === -1 ? entries.length : beyond, MAX_DELTA_ENTRIES));
}

/** At least what the line takes in a frame. */
function sizeOf({ greeting, certificate, label }: BuddyEntry): number {
  const greetingBytes = greeting === "" ? 0 : Buffer.byteLength(JSON.stringify(greeting));
  return LINE_BYTES + greetingBytes + certificate.length + label.length;
}

/** The server knows no more of them than this; a device has the handle from before. */
function departedEntry(userId: UserId, revision: number): BuddyEntry {
  return {
    userId,
    handle: DEPARTED_HANDLE,
    state: "removed",
    greeting: "",
    certificate: NO_BYTES,
    blocked: false,
    label: NO_BYTES,
    revision,
  };
}
