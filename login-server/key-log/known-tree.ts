/** What a process knows of the newest tree without asking the database: its top, and the branches that it has hashed. */
import type { Kysely } from "kysely";
import { equalBytes, fromHex } from "../../protocol/bytes.ts";
import type { ChainEnd } from "../../protocol/key-log.ts";
import { siblingsOf } from "../../protocol/key-tree.ts";
import type { Schema } from "../storage/schema.ts";
import { Branch, PREFIX_DIGITS, TWIG_BITS } from "./branch.ts";
import { leavesBelow, prefixOf, TreeTop } from "./branches.ts";

export class KnownTree {
  #newest: { readonly epoch: number; readonly top: TreeTop } | null = null;
  /** Some 3 kB each, and at most 4,096 of them. Another instance may have changed them since. */
  readonly #branches = new Map<string, Branch>();

  /** Loaded once: that takes thousands of hashes. */
  async topAt(db: Kysely<Schema>, epoch: number): Promise<TreeTop> {
    if (this.#newest?.epoch === epoch) return this.#newest.top;
    const top = await TreeTop.load(db);
    this.#newest = { epoch, top };
    return top;
  }

  /** The branch once these chains end so, by their tree keys; nothing is stored. */
  async changedBranch(
    db: Kysely<Schema>,
    top: TreeTop,
    prefix: string,
    ends: ReadonlyMap<string, ChainEnd>,
  ): Promise<Branch> {
    let branch = await this.#branch(db, top, prefix);
    for (const twig of new Set([...ends.keys()].map(twigPrefixOf))) {
      const changed = new Map([...ends].filter(([treeKey]) => treeKey.startsWith(twig)));
      branch = branch.with(Number.parseInt(twig.slice(PREFIX_DIGITS), 16), await leavesBelow(db, twig, changed));
    }
    return branch;
  }

  /** What proves a chain: the siblings of its leaf, the nearest to the root first. */
  async siblingsOf(db: Kysely<Schema>, epoch: number, treeKey: string): Promise<Uint8Array[]> {
    const key = fromHex(treeKey);
    const top = await this.topAt(db, epoch);
    const branch = await this.#branch(db, top, prefixOf(treeKey));
    const leaves = await leavesBelow(db, twigPrefixOf(treeKey));
    return [...top.siblingsOf(key), ...branch.siblingsOf(key), ...siblingsOf(key, leaves, TWIG_BITS)];
  }

  /** A new epoch was published. */
  keep(epoch: number, top: TreeTop, branches: ReadonlyMap<string, Branch>): void {
    this.#newest = { epoch, top };
    for (const [prefix, branch] of branches) this.#branches.set(prefix, branch);
  }

  async #branch(db: Kysely<Schema>, top: TreeTop, prefix: string): Promise<Branch> {
    const known = this.#branches.get(prefix);
    if (known && equalBytes(known.hash, top.hashOf(prefix))) return known;
    const branch = Branch.of(await leavesBelow(db, prefix));
    this.#branches.set(prefix, branch);
    return branch;
  }
}

function twigPrefixOf(treeKey: string): string {
  return treeKey.slice(0, PREFIX_DIGITS + 1);
}
