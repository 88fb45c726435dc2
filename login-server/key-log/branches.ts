/**
 * The key log's tree as it is stored: leaves one by one, and the hash of every subtree whose
 * keys share their first three digits: its branches.
 */
import type { Kysely } from "kysely";
import { fromHex } from "../../protocol/bytes.ts";
import { type ChainEnd, leafValue } from "../../protocol/key-log.ts";
import { bitOf, EMPTY_TREE, type Leaf, nodeHash, subtreeHash } from "../../protocol/key-tree.ts";
import type { Schema } from "../storage/schema.ts";
import { PREFIX_BITS, PREFIX_DIGITS } from "./branch.ts";

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
    for (const { prefix, hash } of rows) hashes[placeOf(prefix)] = new Uint8Array(hash);
    for (let at = BRANCHES - 1; at >= 1; at--) hashNode(hashes, at);
    return new TreeTop(hashes);
  }

  /** The tree with other hashes for these branches. */
  with(branches: ReadonlyMap<string, Uint8Array>): TreeTop {
    const hashes = [...this.#hashes];
    let level = new Set<number>();
    for (const [prefix, hash] of branches) {
      hashes[placeOf(prefix)] = hash;
      level.add(placeOf(prefix) >> 1);
    }
    while (!level.has(0) && level.size > 0) {
      for (const at of level) hashNode(hashes, at);
      level = new Set([...level].map((at) => at >> 1));
    }
    return new TreeTop(hashes);
  }

  get root(): Uint8Array {
    return this.#hashes[1] as Uint8Array;
  }

  /** Of one branch. */
  hashOf(prefix: string): Uint8Array {
    return this.#hashes[placeOf(prefix)] as Uint8Array;
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

function placeOf(prefix: string): number {
  return BRANCHES + Number.parseInt(prefix, 16);
}

function hashNode(hashes: Uint8Array[], at: number): void {
  hashes[at] = nodeHash(hashes[2 * at] as Uint8Array, hashes[2 * at + 1] as Uint8Array);
}

/** What the branch hashes to, from its leaves. */
export async function branchHash(db: Kysely<Schema>, prefix: string): Promise<Uint8Array> {
  return subtreeHash(await leavesBelow(db, prefix), PREFIX_BITS);
}

export async function storeBranch(db: Kysely<Schema>, prefix: string, hash: Uint8Array): Promise<void> {
  await db
    .insertInto("key_log_branches")
    .values({ prefix, hash })
    .onConflict((conflict) => conflict.column("prefix").doUpdateSet({ hash }))
    .execute();
}

/** The leaves whose keys begin so, once these chains end so, by their tree keys; sorted by key. */
export async function leavesBelow(
  db: Kysely<Schema>,
  prefix: string,
  ends: ReadonlyMap<string, ChainEnd> = new Map(),
): Promise<Leaf[]> {
  const rows = await db
    .selectFrom("key_log_chains")
    .selectAll()
    .where("tree_key", ">=", prefix)
    .where("tree_key", "<", prefix + BEHIND_ALL)
    .execute();
  const chains = new Map<string, ChainEnd>(rows.map(({ tree_key, length, link }) => [tree_key, { length, link }]));
  for (const [treeKey, end] of ends) chains.set(treeKey, end);
  // By code units, as hexadecimal sorts: a database may have been told another order of letters.
  const sorted = [...chains].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([treeKey, end]) => ({ key: fromHex(treeKey), value: leafValue(end) }));
}
