/** The key log as it is read: the newest head, older ones, and what it says of one handle with the proof of it. */
import { concatBytes, toHex } from "../../protocol/bytes.ts";
import type { Handle } from "../../protocol/identifiers.ts";
import { MAX_KEY_LOG_ENTRIES } from "../../protocol/key-log.ts";
import { treeKeyOf } from "../../protocol/key-tree.ts";
import { type EpochParts, publishEpoch } from "./epoch.ts";
import { KnownTree } from "./known-tree.ts";

/** Certificates that are issued within this time share an epoch. */
const GATHER_MS = 1_000;
/** Another instance's certificates, or those that an instance left behind that has ended. */
const SWEEP_MS = 30_000;
const MAX_TRIES = 5;

interface KeyLogParts extends EpochParts {
  fault(error: unknown): void;
  readonly gatherMs?: number;
}

export interface ChainAnswer {
  /** Entries of the whole chain as the head shows it. */
  readonly length: number;
  readonly entries: Uint8Array;
  readonly siblings: Uint8Array;
  /** Empty as long as the log is. */
  readonly head: Uint8Array;
}

export class KeyLog {
  readonly #parts: KeyLogParts;
  readonly #sweep: NodeJS.Timeout;
  #gathering: NodeJS.Timeout | null = null;
  #publishing: Promise<void> = Promise.resolve();
  #isClosed = false;
  readonly #tree = new KnownTree();

  constructor(parts: KeyLogParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#publish(), SWEEP_MS).unref();
    this.issued();
  }

  /** A certificate was issued: an epoch follows soon. */
  issued(): void {
    if (this.#isClosed) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.#publish();
    }, this.#parts.gatherMs ?? GATHER_MS);
  }

  /** The newest head; null as long as there is none. */
  async head(): Promise<Uint8Array | null> {
    const row = await this.#newestHead();
    return row ? new Uint8Array(row.head) : null;
  }

  /** The heads of these epochs, as far as there are any, in the order that was asked for. */
  async heads(epochs: readonly number[]): Promise<Uint8Array[]> {
    if (epochs.length === 0) return [];
    const rows = await this.#parts.db.selectFrom("key_log_heads").selectAll().where("epoch", "in", epochs).execute();
    const byEpoch = new Map(rows.map((row) => [row.epoch, new Uint8Array(row.head)]));
    return epochs.flatMap((epoch) => byEpoch.get(epoch) ?? []);
  }

  /** @param since entries that the asker has already */
  async chain(handle: Handle, since: number): Promise<ChainAnswer> {
    const treeKey = toHex(treeKeyOf(handle));
    for (let tries = 1; ; tries++) {
      const before = await this.#newestHead();
      if (!before) return { length: 0, entries: new Uint8Array(), siblings: new Uint8Array(), head: new Uint8Array() };
      const answer = await this.#chainAt(before.epoch, treeKey, since);
      const after = await this.#newestHead();
      // Read in several steps: what a new epoch has come between is read once more.
      if (after?.epoch === before.epoch || tries === MAX_TRIES) return { ...answer, head: new Uint8Array(before.head) };
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    if (this.#gathering) clearTimeout(this.#gathering);
    await this.#publishing;
  }

  async #chainAt(epoch: number, treeKey: string, since: number): Promise<Omit<ChainAnswer, "head">> {
    const { db } = this.#parts;
    const chain = await db
      .selectFrom("key_log_chains")
      .select("length")
      .where("tree_key", "=", treeKey)
      .executeTakeFirst();
    if (!chain) return { length: 0, entries: new Uint8Array(), siblings: new Uint8Array() };
    const rows = await db
      .selectFrom("key_log_entries")
      .select("entry")
      .where("tree_key", "=", treeKey)
      .where("position", ">=", since)
      .where("position", "<", Math.min(chain.length, since + MAX_KEY_LOG_ENTRIES))
      .orderBy("position")
      .execute();
    const siblings = await this.#tree.siblingsOf(db, epoch, treeKey);
    return {
      length: chain.length,
      entries: concatBytes(rows.map(({ entry }) => new Uint8Array(entry))),
      siblings: concatBytes(siblings),
    };
  }

  #newestHead() {
    return this.#parts.db.selectFrom("key_log_heads").selectAll().orderBy("epoch", "desc").limit(1).executeTakeFirst();
  }

  #publish(): void {
    this.#publishing = this.#publishing.then(async () => {
      try {
        while (!this.#isClosed && (await publishEpoch(this.#parts, this.#tree)) > 0);
      } catch (error) {
        this.#parts.fault(error);
      }
    });
  }
}
