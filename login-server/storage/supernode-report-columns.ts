/** What supernodes report of themselves, by which the list is ordered and the dead leave it. */
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export async function addSupernodeReports(db: Kysely<Schema>): Promise<void> {
  // SQLite adds one column at a time.
  for (const column of ["heard_at", "up_since", "room"]) {
    await db.schema.alterTable("supernodes").addColumn(column, "bigint").execute();
  }
}
