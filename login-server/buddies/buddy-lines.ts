/** A line of a buddy list, out of the database. */
import type { Kysely } from "kysely";
import type { UserId } from "../../protocol/identifiers.ts";
import type { BuddyEntry } from "../../protocol/login-api.ts";
import type { Schema } from "../storage/schema.ts";

export const NO_BYTES = new Uint8Array();

export function linesOf(db: Kysely<Schema>, owner: UserId) {
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

export type LineRow = Omit<BuddyEntry, "blocked" | "label"> & {
  readonly blocked: 0 | 1;
  readonly label: Uint8Array | null;
};

export function entryOf({
  userId,
  handle,
  state,
  greeting,
  certificate,
  blocked,
  label,
  revision,
}: LineRow): BuddyEntry {
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
