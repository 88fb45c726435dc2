/** One epoch of the key log: what was certified since the last one enters the tree, and its root is signed. */
import type { Kysely } from "kysely";
import { fromHex } from "../../protocol/bytes.ts";
import {
  type ChainEnd,
  chainOn,
  chainStart,
  decodeKeyLogEntries,
  decodeKeyLogHead,
  headHash,
  skipTarget,
} from "../../protocol/key-log.ts";
import { HASH_BYTES } from "../../protocol/key-tree.ts";
import type { CertificateAuthority } from "../certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import { nextKeyLogEpoch } from "../storage/serial.ts";
import { prefixOf, TreeTop, updateBranches } from "./branches.ts";

/** Entries of one epoch, so that none holds the database for long; the rest waits for the next. */
export const MAX_EPOCH_ENTRIES = 1_000;
const NO_HEAD = new Uint8Array(HASH_BYTES);

export interface EpochParts {
  readonly db: Kysely<Schema>;
  readonly authority: Pick<CertificateAuthority, "signKeyLogHead">;
  now(): number;
}

/** @returns how many certificates it took in; at 0 there was nothing to do and there is no new epoch */
export async function publishEpoch({ db, authority, now }: EpochParts): Promise<number> {
  if ((await pendingEntries(db, 1)).length === 0) return 0;
  return db.transaction().execute(async (transaction) => {
    // Takes the counter's lock: of several instances one publishes at a time.
    const epoch = await nextKeyLogEpoch(transaction);
    const pending = await pendingEntries(transaction, MAX_EPOCH_ENTRIES);
    const ends = await chainEnds(transaction, [...new Set(pending.map(({ tree_key }) => tree_key))]);
    for (const { tree_key, entry } of pending) {
      const end = ends.get(tree_key) ?? chainStart(fromHex(tree_key));
      ends.set(tree_key, decodeKeyLogEntries(new Uint8Array(entry)).reduce(chainOn, end));
    }
    for (const [treeKey, { length, link }] of ends) {
      await transaction
        .insertInto("key_log_chains")
        .values({ tree_key: treeKey, length, link })
        .onConflict((conflict) => conflict.column("tree_key").doUpdateSet({ length, link }))
        .execute();
    }
    const serials = pending.map(({ serial }) => serial);
    if (serials.length > 0) {
      await transaction.updateTable("key_log_entries").set({ epoch }).where("serial", "in", serials).execute();
    }
    await updateBranches(transaction, new Set([...ends.keys()].map(prefixOf)));
    const { root } = await TreeTop.load(transaction);
    const head = authority.signKeyLogHead({
      epoch,
      issuedAt: now(),
      root,
      previous: await hashOfHead(transaction, epoch - 1),
      skip: await hashOfHead(transaction, skipTarget(epoch)),
    });
    await transaction.insertInto("key_log_heads").values({ epoch, head }).execute();
    return pending.length;
  });
}

function pendingEntries(db: Kysely<Schema>, limit: number) {
  return db
    .selectFrom("key_log_entries")
    .select(["tree_key", "serial", "entry"])
    .where("epoch", "is", null)
    .orderBy("serial")
    .limit(limit)
    .execute();
}

async function chainEnds(db: Kysely<Schema>, treeKeys: readonly string[]): Promise<Map<string, ChainEnd>> {
  if (treeKeys.length === 0) return new Map();
  const rows = await db.selectFrom("key_log_chains").selectAll().where("tree_key", "in", treeKeys).execute();
  return new Map(rows.map(({ tree_key, length, link }) => [tree_key, { length, link: new Uint8Array(link) }]));
}

async function hashOfHead(db: Kysely<Schema>, epoch: number): Promise<Uint8Array> {
  if (epoch === 0) return NO_HEAD;
  const row = await db.selectFrom("key_log_heads").select("head").where("epoch", "=", epoch).executeTakeFirstOrThrow();
  return headHash(decodeKeyLogHead(new Uint8Array(row.head)));
}
