/** What the key log's process knows of its tree, over a real database: nothing is read twice that nobody has changed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Kysely, KyselyPlugin } from "kysely";
import { afterEach, beforeEach, expect, it } from "vitest";
import { branchHash, storeBranch, TreeTop } from "../../login-server/key-log/branches.ts";
import { KnownTree } from "../../login-server/key-log/known-tree.ts";
import type { Schema } from "../../login-server/storage/schema.ts";
import { openSqliteStorage } from "../../login-server/storage/sqlite-storage.ts";
import type { Storage } from "../../login-server/storage/storage.ts";
import { fromHex } from "../../protocol/bytes.ts";
import { leafValue } from "../../protocol/key-log.ts";
import { rootOf } from "../../protocol/key-tree.ts";

const PREFIX = "abc";
const LEAVES = 64;
/** Four in each of the branch's sixteen twigs. */
const keyOf = (number: number) => PREFIX + (number % 16).toString(16) + number.toString(16).padStart(60, "0");
const endOf = (length: number) => ({ length, link: new Uint8Array(32).fill(length) });

let folder: string;
let storage: Storage;
let db: Kysely<Schema>;
let rowsRead: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kith-known-tree-"));
  storage = await openSqliteStorage(join(folder, "login.db"), Date.now);
  const countRows: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      rowsRead += result.rows.length;
      return result;
    },
  };
  db = storage.db.withPlugin(countRows);
  const chains = Array.from({ length: LEAVES }, (_, number) => ({ tree_key: keyOf(number), ...endOf(1) }));
  await storage.db.insertInto("key_log_chains").values(chains).execute();
  await storeBranch(storage.db, PREFIX, await branchHash(storage.db, PREFIX));
});
afterEach(async () => {
  await storage.close();
  rmSync(folder, { recursive: true });
});

/** As an epoch does, of any instance. */
async function store(treeKey: string, length: number): Promise<void> {
  const end = endOf(length);
  await storage.db
    .insertInto("key_log_chains")
    .values({ tree_key: treeKey, ...end })
    .onConflict((conflict) => conflict.column("tree_key").doUpdateSet(end))
    .execute();
  await storeBranch(storage.db, PREFIX, await branchHash(storage.db, PREFIX));
}

it("a change costs the leaves of its twig once the branch is known, and proves what it says", async () => {
  const tree = new KnownTree();
  const changed = keyOf(5);
  rowsRead = 0;
  const before = await tree.topAt(db, 1);
  const branch = await tree.changedBranch(db, before, PREFIX, new Map([[changed, endOf(2)]]));
  expect(rowsRead).toBeGreaterThanOrEqual(LEAVES);
  await store(changed, 2);
  expect(branch.hash).toEqual(await branchHash(storage.db, PREFIX));
  const top = before.with(new Map([[PREFIX, branch.hash]]));
  tree.keep(2, top, new Map([[PREFIX, branch]]));

  rowsRead = 0;
  const again = await tree.changedBranch(db, top, PREFIX, new Map([[keyOf(6), endOf(2)]]));
  const siblings = await tree.siblingsOf(db, 2, changed);
  expect(rowsRead).toBe(2 * 4);
  expect(rootOf({ key: fromHex(changed), value: leafValue(endOf(2)) }, siblings)).toEqual(top.root);
  await store(keyOf(6), 2);
  expect(again.hash).toEqual(await branchHash(storage.db, PREFIX));
});

it("what another instance has changed since is read anew", async () => {
  const tree = new KnownTree();
  await tree.siblingsOf(db, 1, keyOf(0));
  await store(keyOf(7), 2);
  const siblings = await tree.siblingsOf(db, 2, keyOf(0));
  const { root } = await TreeTop.load(storage.db);
  expect(rootOf({ key: fromHex(keyOf(0)), value: leafValue(endOf(1)) }, siblings)).toEqual(root);
});
