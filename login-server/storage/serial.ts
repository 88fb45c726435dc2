/** Certificate serials: one growing number for a whole network, never given out twice. */
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export async function nextCertificateSerial(db: Kysely<Schema>): Promise<number> {
  const { value } = await db
    .updateTable("counters")
    .set((row) => ({ value: row("value", "+", 1) }))
    .where("name", "=", "certificate-serial")
    .returning("value")
    .executeTakeFirstOrThrow();
  return value;
}
