/** What an action changes in the lists of both people, in one transaction. */
import type { Transaction } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Schema } from "../storage/schema.ts";
import { type LineRow, linesOf } from "./buddy-lines.ts";
import { type BuddyAction, type BuddyState, buddyOutcome } from "./buddy-rules.ts";
import { lockList, nextRevision } from "./list-revisions.ts";

interface Side {
  readonly owner: UserId;
  readonly peer: UserId;
  readonly state: BuddyState;
}

/** What the owner alone sees of a line. */
export type Mark = { readonly blocked: 0 | 1 } | { readonly label: Uint8Array | null };

/**
 * @returns the owner's line, and whose lists have changed
 * @throws KithError `buddy-is-self`, `no-such-request`, `already-requested`, `already-buddies`, `too-large`
 */
export async function act(
  transaction: Transaction<Schema>,
  action: BuddyAction,
  owner: UserId,
  peer: UserId,
  greeting = "",
): Promise<{ entry: LineRow | undefined; lists: UserId[] }> {
  if (owner === peer) throw new KithError("buddy-is-self");
  await lockLists(transaction, [owner, peer]);
  const line = await linesOf(transaction, owner).where("peer_id", "=", peer).executeTakeFirst();
  const outcome = buddyOutcome(action, line?.state ?? null);
  if (outcome.kind === "refused") throw new KithError(outcome.code);
  if (outcome.kind === "unchanged") return { entry: line, lists: [] };
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
  return { entry, lists: isUnwanted ? [owner] : [owner, peer] };
}

export async function mark(transaction: Transaction<Schema>, owner: UserId, peer: UserId, change: Mark): Promise<void> {
  const revision = await nextRevision(transaction, owner);
  const marked = await transaction
    .updateTable("buddy_lines")
    .set({ ...change, revision })
    .where("owner_id", "=", owner)
    .where("peer_id", "=", peer)
    .returning("peer_id")
    .executeTakeFirst();
  if (!marked) throw new KithError("no-such-request");
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

/**
 * Takes the row locks of both accounts in one order, so that with a database of several
 * connections two actions between the same two people follow each other and never deadlock.
 */
async function lockLists(transaction: Transaction<Schema>, owners: readonly UserId[]): Promise<void> {
  for (const owner of [...owners].sort()) {
    if (!(await lockList(transaction, owner))) throw new KithError("no-such-request");
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
