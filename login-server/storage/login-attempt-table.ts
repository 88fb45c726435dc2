/** The fourth migration: what stands between the two requests of a login, for instances that share a database. */
import { type Kysely, sql } from "kysely";
import type { ColumnTypes } from "./column-types.ts";
import type { Schema } from "./schema.ts";

export async function addLoginAttempts(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("login_attempts")
    .addColumn("attempt", "text", (column) => column.primaryKey())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("login_attempts_by_expiry").on("login_attempts").column("expires_at").execute();
  // They live for a minute: a crash may forget them, and the disk need not hear of them.
  if (bytes === "bytea") await sql`ALTER TABLE login_attempts SET UNLOGGED`.execute(db);
}
