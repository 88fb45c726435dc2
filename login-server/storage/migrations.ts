/**
 * The ordered list of migrations and how it is run. A migration that was released is never
 * edited: what has to change comes as a new one at the end.
 */
import { type Kysely, sql } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import { addAdministration } from "./administration-tables.ts";
import type { ColumnTypes } from "./column-types.ts";
import { addDesktopSupernodes } from "./desktop-supernode-tables.ts";
import { createFirstTables } from "./first-tables.ts";
import { claimHandlesAnew } from "./handle-claims.ts";
import { addKeyLog } from "./key-log-tables.ts";
import { addLoginAttempts } from "./login-attempt-table.ts";
import { addNetworkKeys } from "./network-key-tables.ts";
import { addRemovedSupernodes } from "./removed-supernode-tables.ts";
import type { Schema } from "./schema.ts";
import { addSupernodeReports } from "./supernode-report-columns.ts";

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
  { name: "claims of handles", up: claimHandlesAnew },
  { name: "removed supernodes", up: addRemovedSupernodes },
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
