/** Growing numbers for a whole network, none given out twice. */
import type { Kysely } from "kysely";
import type { CounterName, Schema } from "./schema.ts";

export function nextCertificateSerial(db: Kysely<Schema>): Promise<number> {
  return next(db, "certificate-serial");
}

export function nextAuditSequence(db: Kysely<Schema>): Promise<number> {
  return next(db, "audit-sequence");
}

/** @returns whether the epoch is the caller's to publish; false if it is taken already, and nothing is changed */
export async function claimKeyLogEpoch(db: Kysely<Schema>, epoch: number): Promise<boolean> {
  const claimed = await db
    .updateTable("counters")
    .set({ value: epoch })
    .where("name", "=", "key-log-epoch")
    .where("value", "=", epoch - 1)
    .returning("value")
    .executeTakeFirst();
  return claimed !== undefined;
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
