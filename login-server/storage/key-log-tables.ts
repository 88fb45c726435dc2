/** The third migration: what was certified for whom, and what of it is no longer to be believed. */
import { type Kysely, sql } from "kysely";
import { logCertificate } from "../key-log/entry-writer.ts";
import type { ColumnTypes } from "./column-types.ts";
import type { Schema } from "./schema.ts";

export async function addKeyLog(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
  const type = sql.raw(bytes);
  await db.schema
    .createTable("key_log_entries")
    .addColumn("tree_key", "text", (column) => column.notNull())
    .addColumn("position", "bigint", (column) => column.notNull())
    .addColumn("serial", "bigint", (column) => column.notNull().unique())
    .addColumn("entry", type, (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .addColumn("epoch", "bigint")
    .addPrimaryKeyConstraint("key_log_entries_pk", ["tree_key", "position"])
    .execute();
  await db.schema.createIndex("key_log_entries_by_epoch").on("key_log_entries").columns(["epoch", "serial"]).execute();
  await db.schema.createIndex("key_log_entries_by_device").on("key_log_entries").column("device_id").execute();
  await db.schema
    .createTable("key_log_chains")
    .addColumn("tree_key", "text", (column) => column.primaryKey())
    .addColumn("length", "bigint", (column) => column.notNull())
    .addColumn("link", type, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("key_log_branches")
    .addColumn("prefix", "text", (column) => column.primaryKey())
    .addColumn("hash", type, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("key_log_heads")
    .addColumn("epoch", "bigint", (column) => column.primaryKey())
    .addColumn("head", type, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("revocations")
    .addColumn("serial", "bigint", (column) => column.primaryKey())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("revocation_list")
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addColumn("list", type, (column) => column.notNull())
    .addColumn("outdated", "integer", (column) => column.notNull())
    .execute();
  await db.insertInto("revocation_list").values({ revision: 0, list: new Uint8Array(), outdated: 1 }).execute();
  await db.insertInto("counters").values({ name: "key-log-epoch", value: 0 }).execute();
  await logWhatIsSignedIn(db);
}

/** The log begins with the certificates that are in use: of those before them nothing was kept. */
async function logWhatIsSignedIn(db: Kysely<Schema>): Promise<void> {
  const devices = await db
    .selectFrom("devices")
    .innerJoin("accounts", "accounts.user_id", "devices.user_id")
    .select([
      "accounts.handle",
      "accounts.user_id as userId",
      "devices.device_id as deviceId",
      "devices.serial",
      "devices.issued_at as issuedAt",
      "devices.expires_at as expiresAt",
      "devices.certificate as bytes",
    ])
    .orderBy("devices.serial")
    .execute();
  for (const device of devices) await logCertificate(db, device);
}
