/** Supernodes that members run in their desktop apps, and the tickets that they enrol with. */
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export async function addDesktopSupernodes(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable("supernodes")
    .addColumn("account_id", "text", (column) => column.references("accounts.user_id").onDelete("cascade"))
    .execute();
  await db.schema.alterTable("supernodes").addColumn("device_id", "text").execute();
  await db.schema.alterTable("supernodes").addColumn("listed_until", "bigint").execute();
  // One for each account, so that nobody draws places in the directory until one suits them.
  await db.schema.createIndex("supernodes_by_account").on("supernodes").column("account_id").unique().execute();
  await db.schema
    .createTable("enrolment_tickets")
    .addColumn("token_hash", "text", (column) => column.primaryKey())
    .addColumn("account_id", "text", (column) => column.notNull().references("accounts.user_id").onDelete("cascade"))
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
}
