/**
 * What this device has read of the key log and checked: how far each handle's chain has come,
 * whose keys stand in it, and the newest head. What is read next must continue it.
 */
import type { Handle, UserId } from "../../protocol/identifiers.ts";
import {
  type ChainEnd,
  chainStart,
  decodeKeyLogHead,
  type KeyLogEntry,
  type KeyLogHead,
} from "../../protocol/key-log.ts";
import { treeKeyOf } from "../../protocol/key-tree.ts";
import type { Signed } from "../../protocol/signed.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db } from "../storage/database-schema.ts";

/** Somebody to whom certificates for a handle were issued. */
export interface KeyOwner {
  readonly userId: UserId;
  /** Positions in the chain of their first and latest certificate. */
  readonly first: number;
  readonly last: number;
  /** Of the latest, ms since 1970. */
  readonly issuedAt: number;
}

export class KeyChains {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async head(): Promise<Signed<KeyLogHead> | null> {
    const row = await this.#db.selectFrom("key_log_head").select("head").executeTakeFirst();
    return row ? decodeKeyLogHead(bytesOf(row.head)) : null;
  }

  async setHead(head: Signed<KeyLogHead>): Promise<void> {
    await this.#db
      .insertInto("key_log_head")
      .values({ id: 1, head: head.bytes })
      .onConflict((conflict) => conflict.column("id").doUpdateSet({ head: head.bytes }))
      .execute();
  }

  async endOf(handle: Handle): Promise<ChainEnd> {
    const row = await this.#db
      .selectFrom("key_chains")
      .select(["length", "link"])
      .where("handle", "=", handle)
      .executeTakeFirst();
    return row ? { length: row.length, link: bytesOf(row.link) } : chainStart(treeKeyOf(handle));
  }

  /** When the chain was compared with the log last; 0: never. */
  async checkedAt(handle: Handle): Promise<number> {
    const query = this.#db.selectFrom("key_chains").select("checked_at").where("handle", "=", handle);
    return (await query.executeTakeFirst())?.checked_at ?? 0;
  }

  /** In the order in which they came. */
  async owners(handle: Handle): Promise<KeyOwner[]> {
    const rows = await this.#db
      .selectFrom("key_owners")
      .selectAll()
      .where("handle", "=", handle)
      .orderBy("first")
      .execute();
    return rows.map(({ user_id, first, last, issued_at }) => ({ userId: user_id, first, last, issuedAt: issued_at }));
  }

  /** @param added the entries from the former end up to the new one */
  async extend(handle: Handle, end: ChainEnd, added: readonly KeyLogEntry[], now: number): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      const row = { length: end.length, link: end.link, checked_at: now };
      await tx
        .insertInto("key_chains")
        .values({ handle, ...row })
        .onConflict((conflict) => conflict.column("handle").doUpdateSet(row))
        .execute();
      for (const [index, { userId, issuedAt }] of added.entries()) {
        const position = end.length - added.length + index;
        await tx
          .insertInto("key_owners")
          .values({ handle, user_id: userId, first: position, last: position, issued_at: issuedAt })
          .onConflict((conflict) =>
            conflict.columns(["handle", "user_id"]).doUpdateSet({ last: position, issued_at: issuedAt }),
          )
          .execute();
      }
    });
  }
}
