/**
 * The key log's tree as it is stored: leaves one by one, and the hash of every subtree whose
 * keys share their first three digits. An epoch then costs the subtrees that it touches (some
 * 250 leaves each among a million accounts), and a proof one of them.
 */
import type { Kysely } from "kysely";
import { fromHex } from "../../protocol/bytes.ts";
import { leafValue } from "../../protocol/key-log.ts";
import { bitOf, EMPTY_TREE, type Leaf, nodeHash, siblingsOf, subtreeHash } from "../../protocol/key-tree.ts";
import type { Schema } from "../storage/schema.ts";

const PREFIX_DIGITS = 3;
const PREFIX_BITS = 4 * PREFIX_DIGITS;
const BRANCHES = 2 ** PREFIX_BITS;
/** Sorts behind every digit. */
const BEHIND_ALL = "g";

export function prefixOf(treeKey: string): string {
  return treeKey.slice(0, PREFIX_DIGITS);
}

/** The top of the tree, down to the stored branches. */
export class TreeTop {
  /** As in a heap: the root at 1, the children of n at 2n and 2n + 1. */
  readonly #hashes: readonly Uint8Array[];

  private constructor(hashes: readonly Uint8Array[]) {
    this.#hashes = hashes;
  }

  static async load(db: Kysely<Schema>): Promise<TreeTop> {
    const hashes = new Array<Uint8Array>(2 * BRANCHES).fill(EMPTY_TREE);
    const rows = await db.selectFrom("key_log_branches").selectAll().execute();
    for (const { prefix, hash } of rows) hashes[BRANCHES + Number.parseInt(prefix, 16)] = new Uint8Array(hash);
    for (let at = BRANCHES - 1; at >= 1; at--) {
      hashes[at] = nodeHash(hashes[2 * at] as Uint8Array, hashes[2 * at + 1] as Uint8Array);
    }
    return new TreeTop(hashes);
  }

  get root(): Uint8Array {
    return this.#hashes[1] as Uint8Array;
  }

  /** The siblings down to the branch of this key, the nearest to the root first. */
  siblingsOf(key: Uint8Array): Uint8Array[] {
    const siblings: Uint8Array[] = [];
    let at = 1;
    for (let depth = 0; depth < PREFIX_BITS; depth++) {
      const side = bitOf(key, depth);
      siblings.push(this.#hashes[2 * at + 1 - side] as Uint8Array);
      at = 2 * at + side;
    }
    return siblings;
  }
}

/** Hashes the branches anew whose leaves have changed. */
export async function updateBranches(db: Kysely<Schema>, prefixes: Iterable<string>): Promise<void> {
  for (const prefix of prefixes) {
    const hash = subtreeHash(await leavesBelow(db, prefix), PREFIX_BITS);
    await db
      .insertInto("key_log_branches")
      .values({ prefix, hash })
      .onConflict((conflict) => conflict.column("prefix").doUpdateSet({ hash }))
      .execute();
  }
}

/** The siblings below the key's branch, the nearest to the root first. */
export async function siblingsInBranch(db: Kysely<Schema>, treeKey: string): Promise<Uint8Array[]> {
  return siblingsOf(fromHex(treeKey), await leavesBelow(db, prefixOf(treeKey)), PREFIX_BITS);
}

async function leavesBelow(db: Kysely<Schema>, prefix: string): Promise<Leaf[]> {
  const rows = await db
    .selectFrom("key_log_chains")
    .selectAll()
    .where("tree_key", ">=", prefix)
    .where("tree_key", "<", prefix + BEHIND_ALL)
    .orderBy("tree_key")
    .execute();
  return rows.map(({ tree_key, length, link }) => ({
    key: fromHex(tree_key),
    value: leafValue({ length, link: new Uint8Array(link) }),
  }));
}
