/**
 * The ordered list of migrations and how it is run. A migration that was released is never
 * edited: what has to change comes as a new one at the end.
 */
import { type Kysely, sql } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import { addAdministration } from "./administration-tables.ts";
import { addDesktopSupernodes } from "./desktop-supernode-tables.ts";
import { addKeyLog } from "./key-log-tables.ts";
import { addLoginAttempts } from "./login-attempt-table.ts";
import { addNetworkKeys } from "./network-key-tables.ts";
import type { Schema } from "./schema.ts";
import { addSupernodeReports } from "./supernode-report-columns.ts";

/** What the engines call the same thing differently. */
export interface ColumnTypes {
  readonly bytes: "blob" | "bytea";
}

interface Migration {
  readonly name: string;
  readonly up: (db: Kysely<Schema>, types: ColumnTypes) => Promise<void>;
}

export const MIGRATIONS: readonly Migration[] = [
  { name: "accounts, buddy lists, supernodes", up: createFirstTables },
  { name: "invitations, recovery, administration", up: addAdministration },
  { name: "key log, revocations", up: addKeyLog },
  { name: "login attempts", up: addLoginAttempts },
  { name: "desktop supernodes", up: addDesktopSupernodes },
  { name: "reports of supernodes", up: addSupernodeReports },
  { name: "network keys", up: addNetworkKeys },
];

interface MigrationOptions {
  readonly migrations?: readonly Migration[];
  readonly beforeUpgrade?: BeforeUpgrade;
}

/** Called before a database that holds data already is changed; what it throws keeps it as it is. */
export type BeforeUpgrade = (db: Kysely<Schema>, schema: number) => Promise<void>;

/**
 * Brings the database to the newest schema; each step is one transaction.
 * @param path names the database in a refusal.
 * @throws KithError `data-newer` for a database that a later version has migrated: it is left as it is
 */
export async function migrate(
  db: Kysely<Schema>,
  types: ColumnTypes,
  now: () => number,
  path: string,
  { migrations = MIGRATIONS, beforeUpgrade = async () => undefined }: MigrationOptions = {},
): Promise<void> {
  await db.schema
    .createTable("migrations")
    .ifNotExists()
    .addColumn("version", "integer", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("applied_at", "bigint", (column) => column.notNull())
    .execute();
  const { version: applied } = await db
    .selectFrom("migrations")
    .select((query) => query.fn.coalesce(query.fn.max("version"), sql<number>`0`).as("version"))
    .executeTakeFirstOrThrow();
  if (applied > migrations.length) throw new KithError("data-newer", { path });
  if (applied > 0 && applied < migrations.length) await beforeUpgrade(db, applied);
  for (const [index, { name, up }] of migrations.entries()) {
    const version = index + 1;
    if (version <= applied) continue;
    await db.transaction().execute(async (transaction) => {
      await up(transaction, types);
      await transaction.insertInto("migrations").values({ version, name, applied_at: now() }).execute();
    });
  }
}

async function createFirstTables(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
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
