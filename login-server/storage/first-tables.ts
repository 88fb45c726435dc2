/** Accounts, their devices and buddies, and supernodes. */
import { type Kysely, sql } from "kysely";
import type { ColumnTypes } from "./column-types.ts";
import type { Schema } from "./schema.ts";

export async function createFirstTables(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
  const type = sql.raw(bytes);
  await db.schema
    .createTable("network")
    .addColumn("network_id", "text", (column) => column.primaryKey())
    .execute();
  await db.schema
    .createTable("counters")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("value", "bigint", (column) => column.notNull())
    .execute();
  await db.insertInto("counters").values({ name: "certificate-serial", value: 0 }).execute();
  await db.schema
    .createTable("accounts")
    .addColumn("user_id", "text", (column) => column.primaryKey())
    .addColumn("handle", "text", (column) => column.notNull().unique())
    .addColumn("opaque_record", "text", (column) => column.notNull())
    .addColumn("vault", type, (column) => column.notNull())
    .addColumn("sign_key", type, (column) => column.notNull())
    .addColumn("box_key", type, (column) => column.notNull())
    .addColumn("key_binding", type, (column) => column.notNull())
    .addColumn("certificate", type, (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("buddy_revision", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createTable("devices")
    .addColumn("user_id", "text", (column) => column.notNull().references("accounts.user_id").onDelete("cascade"))
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("certificate", type, (column) => column.notNull())
    .addColumn("serial", "bigint", (column) => column.notNull().unique())
    .addColumn("issued_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .addColumn("last_seen_at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("devices_pk", ["user_id", "device_id"])
    .execute();
  await db.schema
    .createTable("buddy_lines")
    .addColumn("owner_id", "text", (column) => column.notNull().references("accounts.user_id").onDelete("cascade"))
    .addColumn("peer_id", "text", (column) => column.notNull().references("accounts.user_id").onDelete("cascade"))
    .addColumn("state", "text", (column) =>
      column.notNull().check(sql`state in ('buddy', 'asked-by-me', 'asks-me', 'removed')`),
    )
    .addColumn("greeting", "text", (column) => column.notNull())
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("buddy_lines_pk", ["owner_id", "peer_id"])
    .execute();
  await db.schema.createIndex("buddy_lines_by_revision").on("buddy_lines").columns(["owner_id", "revision"]).execute();
  await db.schema.createIndex("buddy_lines_by_peer").on("buddy_lines").column("peer_id").execute();
  await db.schema
    .createTable("supernodes")
    .addColumn("supernode_id", "text", (column) => column.primaryKey())
    .addColumn("sign_key", type, (column) => column.notNull().unique())
    .addColumn("tls_fingerprint", type, (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("port", "integer", (column) => column.notNull())
    .addColumn("certificate", type, (column) => column.notNull())
    .addColumn("issued_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("supernode_list")
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addColumn("list", type, (column) => column.notNull())
    .addColumn("outdated", "integer", (column) => column.notNull())
    .execute();
  await db.insertInto("supernode_list").values({ revision: 0, list: new Uint8Array(), outdated: 1 }).execute();
}
