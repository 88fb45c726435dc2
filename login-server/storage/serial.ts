/** Growing numbers for a whole network, none given out twice. */
import type { Kysely } from "kysely";
import type { CounterName, Schema } from "./schema.ts";

export function nextCertificateSerial(db: Kysely<Schema>): Promise<number> {
  return next(db, "certificate-serial");
}

export function nextAuditSequence(db: Kysely<Schema>): Promise<number> {
  return next(db, "audit-sequence");
}

export function nextKeyLogEpoch(db: Kysely<Schema>): Promise<number> {
  return next(db, "key-log-epoch");
}

async function next(db: Kysely<Schema>, name: CounterName): Promise<number> {
  const { value } = await db
    .updateTable("counters")
    .set((row) => ({ value: row("value", "+", 1) }))
    .where("name", "=", name)
    .returning("value")
    .executeTakeFirstOrThrow();
  return value;
}
