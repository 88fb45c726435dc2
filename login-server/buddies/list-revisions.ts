/** Each account's buddy list has a revision, which grows with every change: what a device has seen is told by a number. */
import type { Transaction } from "kysely";
import type { UserId } from "../../protocol/identifiers.ts";
import type { Schema } from "../storage/schema.ts";

/** The revision for a change of the owner's list that is about to be made. */
export async function nextRevision(transaction: Transaction<Schema>, owner: UserId): Promise<number> {
  const { buddy_revision } = await transaction
    .updateTable("accounts")
    .set((row) => ({ buddy_revision: row("buddy_revision", "+", 1) }))
    .where("user_id", "=", owner)
    .returning("buddy_revision")
    .executeTakeFirstOrThrow();
  return buddy_revision;
}

/**
 * Nobody else changes the list before the transaction ends, in a database of several connections either.
 * @returns whether there is such an account
 */
export async function lockList(transaction: Transaction<Schema>, owner: UserId): Promise<boolean> {
  const locked = await transaction
    .updateTable("accounts")
    .set((row) => ({ buddy_revision: row.ref("buddy_revision") }))
    .where("user_id", "=", owner)
    .returning("user_id")
    .executeTakeFirst();
  return locked !== undefined;
}
