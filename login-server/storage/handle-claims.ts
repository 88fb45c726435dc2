/** Claims of handles for the accounts that there are. */
import type { Kysely } from "kysely";
import { claimOf } from "../accounts/handle-skeleton.ts";
import type { Schema } from "./schema.ts";

/** Of old accounts that look alike the first one has the claim; all of them stay. */
export async function claimHandles(db: Kysely<Schema>): Promise<void> {
  const accounts = await db.selectFrom("accounts").select(["user_id", "handle"]).orderBy("created_at").execute();
  for (const { user_id, handle } of accounts) {
    await db
      .insertInto("handle_claims")
      .values({ claim: claimOf(handle), user_id })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** The eighth migration: what looks alike is told otherwise than before. Claims of deleted accounts stay: nobody knows their handles. */
export async function claimHandlesAnew(db: Kysely<Schema>): Promise<void> {
  await db.deleteFrom("handle_claims").where("user_id", "is not", null).execute();
  await claimHandles(db);
}
