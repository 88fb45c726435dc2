/** The keys that have followed the network's first one. */
import { type Kysely, sql } from "kysely";
import type { ColumnTypes } from "./column-types.ts";
import type { Schema } from "./schema.ts";

export async function addNetworkKeys(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
  const type = sql.raw(bytes);
  await db.schema
    .createTable("network_keys")
    .addColumn("number", "integer", (column) => column.primaryKey())
    .addColumn("succession", type, (column) => column.notNull())
    .addColumn("sealed_seed", type)
    .execute();
}
