/** How a supernode is put out of the network: off the list, its certificates taken back, its key and its member's account refused. */
import type { Kysely } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { revokeSupernode } from "../key-log/revocations.ts";
import type { Schema } from "../storage/schema.ts";

/**
 * @param db a transaction
 * @returns whether it was an operator's, who has an enrolment token
 * @throws KithError `no-such-supernode`
 */
export async function putOut(db: Kysely<Schema>, supernodeId: string, now: number): Promise<{ isOperators: boolean }> {
  await holdEnrolments(db);
  const gone = await db
    .deleteFrom("supernodes")
    .where("supernode_id", "=", supernodeId as SupernodeId)
    .returning(["supernode_id", "sign_key", "account_id"])
    .executeTakeFirst();
  if (!gone) throw new KithError("no-such-supernode", { supernode: supernodeId });
  await db
    .insertInto("removed_supernodes")
    .values({ sign_key: gone.sign_key, account_id: gone.account_id, removed_at: now })
    .onConflict((conflict) => conflict.column("sign_key").doNothing())
    .execute();
  await revokeSupernode(db, gone.supernode_id, now);
  await db.updateTable("supernode_list").set({ outdated: 1 }).execute();
  return { isOperators: gone.account_id === null };
}

/** Until the transaction ends, no other instance enrols or removes a supernode: one that renews while it is removed would be back. */
export async function holdEnrolments(db: Kysely<Schema>): Promise<void> {
  await db
    .updateTable("supernode_list")
    .set((row) => ({ outdated: row.ref("outdated") }))
    .execute();
}

/** @throws KithError `supernode-removed` */
export async function requireNotRemoved(
  db: Kysely<Schema>,
  signKey: Uint8Array,
  accountId: UserId | null,
): Promise<void> {
  const removed = await db
    .selectFrom("removed_supernodes")
    .select("removed_at")
    .where((row) => row.or([row("sign_key", "=", signKey), row("account_id", "=", accountId)]))
    .executeTakeFirst();
  if (removed) throw new KithError("supernode-removed");
}
