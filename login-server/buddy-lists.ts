/** Buddy lists: one per account, with a revision; every change is made on both sides at once. */
import type { Kysely, Transaction } from "kysely";
import type { z } from "zod";
import { KithError } from "../protocol/errors.ts";
import type { Handle, UserId } from "../protocol/identifiers.ts";
import { LIMITS } from "../protocol/limits.ts";
import { type BuddyEntry, DEPARTED_HANDLE, type LOGIN_PUSHES, MAX_DELTA_ENTRIES } from "../protocol/login-api.ts";
import { type BuddyAction, type BuddyState, buddyOutcome } from "./buddy-rules.ts";
import type { Schema } from "./storage/schema.ts";

export type BuddyDelta = z.infer<typeof LOGIN_PUSHES.buddies>;

interface BuddyListParts {
  readonly db: Kysely<Schema>;
  /** Told after the change is stored, once for each list that has changed. */
  changed(owner: UserId): void;
}

interface Side {
  readonly owner: UserId;
  readonly peer: UserId;
  readonly state: BuddyState;
}

/** What a line takes besides its greeting, certificate and label: names, IDs and numbers in JSON, at their longest. */
const LINE_BYTES = 256;
/** Leaves room for the rest of the packet. */
const MAX_PAGE_BYTES = LIMITS.maxFrameBytes - 1_024;

const NO_BYTES = new Uint8Array();

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
    await this.remove(owner, peer);
    await this.#mark(owner, peer, { blocked: 1 });
  }

  /** @throws KithError `no-such-request` */
  async unblock(owner: UserId, peer: UserId): Promise<void> {
    await this.#mark(owner, peer, { blocked: 0 });
  }

  /** @param label sealed; empty takes it away. @throws KithError `no-such-request` */
  async label(owner: UserId, peer: UserId, label: Uint8Array): Promise<void> {
    await this.#mark(owner, peer, { label: label.length === 0 ? null : label });
  }

  /** Changes what the owner alone sees of a line. */
  async #mark(
    owner: UserId,
    peer: UserId,
    mark: { readonly blocked: 0 | 1 } | { readonly label: Uint8Array | null },
  ): Promise<void> {
    const { db, changed } = this.#parts;
    await db.transaction().execute(async (transaction) => {
      const revision = await nextRevision(transaction, owner);
      const marked = await transaction
        .updateTable("buddy_lines")
        .set({ ...mark, revision })
        .where("owner_id", "=", owner)
        .where("peer_id", "=", peer)
        .returning("peer_id")
        .executeTakeFirst();
      if (!marked) throw new KithError("no-such-request");
    });
    changed(owner);
  }

  async #act(action: BuddyAction, owner: UserId, peer: UserId, greeting = ""): Promise<BuddyEntry | undefined> {
    if (owner === peer) throw new KithError("buddy-is-self");
    const { db, changed } = this.#parts;
    const result = await db.transaction().execute(async (transaction) => {
      await lockLists(transaction, [owner, peer]);
      const line = await linesOf(transaction, owner).where("peer_id", "=", peer).executeTakeFirst();
      const outcome = buddyOutcome(action, line?.state ?? null);
      if (outcome.kind === "refused") throw new KithError(outcome.code);
      if (outcome.kind === "unchanged") return { entry: line, changed: [] };
      const mine = { owner, peer, state: outcome.mine };
      const theirs = { owner: peer, peer: owner, state: outcome.theirs };
      if (mine.state === "asked-by-me") await requireRoom(transaction, mine, theirs);
      const shown = mine.state === "asked-by-me" ? greeting : "";
      await writeLine(transaction, mine, shown);
      // Who asks somebody that they have blocked has thought better of it.
      if (action === "request" && line?.blocked === 1) await unmark(transaction, mine);
      const isUnwanted = await isBlocked(transaction, theirs);
      if (!isUnwanted) await writeLine(transaction, theirs, shown);
      const entry = await linesOf(transaction, owner).where("peer_id", "=", peer).executeTakeFirst();
      return { entry, changed: isUnwanted ? [owner] : [owner, peer] };
    });
    for (const list of result.changed) changed(list);
    return result.entry && entryOf(result.entry);
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

function linesOf(db: Kysely<Schema>, owner: UserId) {
  return db
    .selectFrom("buddy_lines")
    .innerJoin("accounts", "accounts.user_id", "buddy_lines.peer_id")
    .select([
      "buddy_lines.peer_id as userId",
      "accounts.handle",
      "buddy_lines.state",
      "buddy_lines.greeting",
      "accounts.certificate",
      "buddy_lines.blocked",
      "buddy_lines.label",
      "buddy_lines.revision",
    ])
    .where("buddy_lines.owner_id", "=", owner);
}

type LineRow = Omit<BuddyEntry, "blocked" | "label"> & {
  readonly blocked: 0 | 1;
  readonly label: Uint8Array | null;
};

function entryOf({ userId, handle, state, greeting, certificate, blocked, label, revision }: LineRow): BuddyEntry {
  // One by one: a list has thousands of lines, and spreading takes ten times as long.
  return {
    userId,
    handle,
    state,
    greeting,
    certificate,
    blocked: blocked === 1,
    label: label ?? NO_BYTES,
    revision,
  };
}

async function isBlocked(transaction: Transaction<Schema>, { owner, peer }: Side): Promise<boolean> {
  const line = await linesOf(transaction, owner).where("peer_id", "=", peer).executeTakeFirst();
  return line?.blocked === 1;
}

async function unmark(transaction: Transaction<Schema>, { owner, peer }: Side): Promise<void> {
  await transaction
    .updateTable("buddy_lines")
    .set({ blocked: 0 })
    .where("owner_id", "=", owner)
    .where("peer_id", "=", peer)
    .execute();
}

async function nextRevision(transaction: Transaction<Schema>, owner: UserId): Promise<number> {
  const { buddy_revision } = await transaction
    .updateTable("accounts")
    .set((row) => ({ buddy_revision: row("buddy_revision", "+", 1) }))
    .where("user_id", "=", owner)
    .returning("buddy_revision")
    .executeTakeFirstOrThrow();
  return buddy_revision;
}

/**
 * Takes the row locks of both accounts in one order, so that with a database of several
 * connections two actions between the same two people follow each other and never deadlock.
 */
async function lockLists(transaction: Transaction<Schema>, owners: readonly UserId[]): Promise<void> {
  for (const owner of [...owners].sort()) {
    const locked = await transaction
      .updateTable("accounts")
      .set((row) => ({ buddy_revision: row.ref("buddy_revision") }))
      .where("user_id", "=", owner)
      .returning("user_id")
      .executeTakeFirst();
    if (!locked) throw new KithError("no-such-request");
  }
}

async function writeLine(transaction: Transaction<Schema>, side: Side, greeting: string): Promise<void> {
  const revision = await nextRevision(transaction, side.owner);
  const line = { state: side.state, greeting, revision };
  await transaction
    .insertInto("buddy_lines")
    .values({ owner_id: side.owner, peer_id: side.peer, ...line })
    .onConflict((conflict) => conflict.columns(["owner_id", "peer_id"]).doUpdateSet(line))
    .execute();
}

async function requireRoom(transaction: Transaction<Schema>, mine: Side, theirs: Side): Promise<void> {
  const own = await countLines(transaction, mine.owner);
  const other = await countLines(transaction, theirs.owner);
  requireBelow("A buddy list", own.all, LIMITS.maxBuddies, "people");
  requireBelow("The other one's buddy list", other.all, LIMITS.maxBuddies, "people");
  requireBelow("The list of your open requests", own["asked-by-me"], LIMITS.maxRequestsSent, "people");
  requireBelow("The other one's list of requests", other["asks-me"], LIMITS.maxRequestsReceived, "people");
}

async function countLines(transaction: Transaction<Schema>, owner: UserId) {
  const rows = await transaction
    .selectFrom("buddy_lines")
    .select(["state", (query) => query.fn.countAll<number>().as("lines")])
    .where("owner_id", "=", owner)
    .where("state", "!=", "removed")
    .groupBy("state")
    .execute();
  const counts = { buddy: 0, "asked-by-me": 0, "asks-me": 0, removed: 0, all: 0 };
  for (const { state, lines } of rows) {
    counts[state] = Number(lines);
    counts.all += Number(lines);
  }
  return counts;
}

function requireBelow(what: string, count: number, limit: number, unit: string): void {
  if (count >= limit) throw new KithError("too-large", { what, limit: `${limit} ${unit}` });
}
