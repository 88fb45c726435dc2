/** The second migration: who may come in, who runs the network, and how a lost password is survived. */
import { type Kysely, sql } from "kysely";
import type { ColumnTypes } from "./column-types.ts";
import { claimHandles } from "./handle-claims.ts";
import type { Schema } from "./schema.ts";

export async function addAdministration(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
  const type = sql.raw(bytes);
  // SQLite adds one column at a time.
  await db.schema
    .alterTable("accounts")
    .addColumn("role", "text", (column) => column.notNull().defaultTo("member"))
    .execute();
  await db.schema
    .alterTable("accounts")
    .addColumn("standing", "text", (column) => column.notNull().defaultTo("active"))
    .execute();
  await db.schema.alterTable("accounts").addColumn("recovery_key", type).execute();
  await db.schema.alterTable("accounts").addColumn("recovery_vault", type).execute();
  await db.schema.alterTable("accounts").addColumn("recovery_set_at", "bigint").execute();
  await db.schema
    .alterTable("buddy_lines")
    .addColumn("blocked", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable("buddy_lines").addColumn("label", type).execute();
  await db.schema
    .createTable("departed_buddies")
    .addColumn("owner_id", "text", (column) => column.notNull().references("accounts.user_id").onDelete("cascade"))
    .addColumn("peer_id", "text", (column) => column.notNull())
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("departed_buddies_pk", ["owner_id", "peer_id"])
    .execute();
  await db.schema
    .createTable("handle_claims")
    .addColumn("claim", "text", (column) => column.primaryKey())
    .addColumn("user_id", "text", (column) => column.references("accounts.user_id").onDelete("set null"))
    .execute();
  await db.schema.createIndex("handle_claims_by_user").on("handle_claims").column("user_id").execute();
  await db.schema
    .createTable("invitations")
    .addColumn("invitation_id", "text", (column) => column.primaryKey())
    .addColumn("token_hash", "text", (column) => column.notNull().unique())
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("for_handle", "text")
    .addColumn("max_uses", "integer", (column) => column.notNull())
    .addColumn("uses_left", "integer", (column) => column.notNull())
    .addColumn("note", "text", (column) => column.notNull())
    .addColumn("created_by", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("audit_log")
    .addColumn("sequence", "bigint", (column) => column.primaryKey())
    .addColumn("at", "bigint", (column) => column.notNull())
    .addColumn("actor", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("details", "text", (column) => column.notNull())
    .execute();
  await db.insertInto("counters").values({ name: "audit-sequence", value: 0 }).execute();
  await claimHandles(db);
}
