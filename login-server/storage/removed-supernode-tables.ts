/** What is needed to put a supernode out for good: every certificate that it has had, its key, and the tokens that were spent with it. */
import { type Kysely, sql } from "kysely";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import type { ColumnTypes } from "./column-types.ts";
import type { Schema } from "./schema.ts";

export async function addRemovedSupernodes(db: Kysely<Schema>, { bytes }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("supernode_certificates")
    .addColumn("serial", "bigint", (column) => column.primaryKey())
    .addColumn("supernode_id", "text", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("supernode_certificates_by_supernode")
    .on("supernode_certificates")
    .column("supernode_id")
    .execute();
  await db.schema
    .createTable("removed_supernodes")
    .addColumn("sign_key", sql.raw(bytes), (column) => column.primaryKey())
    .addColumn("account_id", "text", (column) => column.references("accounts.user_id").onDelete("set null"))
    .addColumn("removed_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("enrolment_tokens")
    .addColumn("token_hash", "text", (column) => column.primaryKey())
    .addColumn("spent", "integer", (column) => column.notNull())
    .execute();
  // Of those before the newest nothing was kept.
  for (const row of await db.selectFrom("supernodes").select(["supernode_id", "certificate", "expires_at"]).execute()) {
    const { serial } = decodeSupernodeCertificate(new Uint8Array(row.certificate)).value;
    const { supernode_id, expires_at } = row;
    await db.insertInto("supernode_certificates").values({ serial, supernode_id, expires_at }).execute();
  }
}
