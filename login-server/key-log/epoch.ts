/** One epoch of the key log: what was certified since the last one enters the tree, and its root is signed. */
import { setImmediate } from "node:timers/promises";
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
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import { claimKeyLogEpoch } from "../storage/serial.ts";
import type { Branch } from "./branch.ts";
import { prefixOf, storeBranch, type TreeTop } from "./branches.ts";
import { KnownTree } from "./known-tree.ts";

/** Entries of one epoch, so that none holds the database for long; the rest waits for the next. */
const MAX_EPOCH_ENTRIES = 1_000;
const NO_HEAD = new Uint8Array(HASH_BYTES);

export interface EpochParts {
  readonly db: Kysely<Schema>;
  readonly authority: Pick<CertificateAuthority, "signKeyLogHead" | "isOfFormerKey">;
  now(): number;
}

/** The next epoch, worked out beside whatever else the database does. */
interface Draft {
  /** The epoch that it continues. */
  readonly after: number;
  readonly serials: readonly number[];
  readonly ends: ReadonlyMap<string, ChainEnd>;
  readonly branches: ReadonlyMap<string, Branch>;
  readonly top: TreeTop;
}

/**
 * Logins wait neither for the reading nor for the hashing: those are done before the transaction, which only writes.
 * @returns how many certificates it took in; at 0 there was nothing to do, or another instance was quicker
 */
export async function publishEpoch(parts: EpochParts, known = new KnownTree()): Promise<number> {
  const draft = await draftEpoch(parts, known);
  if (draft === null) return 0;
  const epoch = draft.after + 1;
  const isPublished = await parts.db.transaction().execute(async (transaction) => {
    // Takes the counter's lock: of several instances one publishes at a time.
    if (!(await claimKeyLogEpoch(transaction, epoch))) return false;
    await store(transaction, draft, epoch);
    const head = parts.authority.signKeyLogHead({
      epoch,
      issuedAt: parts.now(),
      root: draft.top.root,
      previous: await hashOfHead(transaction, draft.after),
      skip: await hashOfHead(transaction, skipTarget(epoch)),
    });
    await transaction.insertInto("key_log_heads").values({ epoch, head }).execute();
    return true;
  });
  if (!isPublished) return 0;
  known.keep(epoch, draft.top, draft.branches);
  return draft.serials.length;
}

async function draftEpoch({ db, authority }: EpochParts, known: KnownTree): Promise<Draft | null> {
  // First of all: whatever another instance publishes after this, the draft is thrown away.
  const { value: after } = await db
    .selectFrom("counters")
    .select("value")
    .where("name", "=", "key-log-epoch")
    .executeTakeFirstOrThrow();
  const pending = await pendingEntries(db);
  if (pending.length === 0 && !(await isHeadOfFormerKey(db, after, authority))) return null;
  const ends = await chainEnds(db, [...new Set(pending.map(({ tree_key }) => tree_key))]);
  for (const { tree_key, entry } of pending) {
    const end = ends.get(tree_key) ?? chainStart(fromHex(tree_key));
    ends.set(tree_key, decodeKeyLogEntries(new Uint8Array(entry)).reduce(chainOn, end));
  }
  const former = await known.topAt(db, after);
  const branches = new Map<string, Branch>();
  for (const [prefix, changed] of byPrefix(ends)) {
    branches.set(prefix, await known.changedBranch(db, former, prefix, changed));
    // A branch that is read for the first time takes a few milliseconds: logins get their turn in between.
    await setImmediate();
  }
  const top = former.with(new Map([...branches].map(([prefix, { hash }]) => [prefix, hash])));
  return { after, serials: pending.map(({ serial }) => serial), ends, branches, top };
}

function byPrefix(ends: ReadonlyMap<string, ChainEnd>): Map<string, Map<string, ChainEnd>> {
  const groups = new Map<string, Map<string, ChainEnd>>();
  for (const [treeKey, end] of ends) {
    const prefix = prefixOf(treeKey);
    const group = groups.get(prefix) ?? new Map<string, ChainEnd>();
    groups.set(prefix, group.set(treeKey, end));
  }
  return groups;
}

async function store(transaction: Kysely<Schema>, draft: Draft, epoch: number): Promise<void> {
  for (const [treeKey, { length, link }] of draft.ends) {
    await transaction
      .insertInto("key_log_chains")
      .values({ tree_key: treeKey, length, link })
      .onConflict((conflict) => conflict.column("tree_key").doUpdateSet({ length, link }))
      .execute();
  }
  for (const [prefix, { hash }] of draft.branches) await storeBranch(transaction, prefix, hash);
  if (draft.serials.length === 0) return;
  await transaction.updateTable("key_log_entries").set({ epoch }).where("serial", "in", draft.serials).execute();
}

/** Then there is an epoch although nothing was certified: what a former key has signed is not believed for long. */
async function isHeadOfFormerKey(
  db: Kysely<Schema>,
  epoch: number,
  authority: EpochParts["authority"],
): Promise<boolean> {
  const row = await db.selectFrom("key_log_heads").select("head").where("epoch", "=", epoch).executeTakeFirst();
  return row !== undefined && authority.isOfFormerKey(decodeKeyLogHead(new Uint8Array(row.head)).value.issuedAt);
}

function pendingEntries(db: Kysely<Schema>) {
  return db
    .selectFrom("key_log_entries")
    .select(["tree_key", "serial", "entry"])
    .where("epoch", "is", null)
    .orderBy("serial")
    .limit(MAX_EPOCH_ENTRIES)
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
