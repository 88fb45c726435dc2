/** The signed list of supernodes: fetched when it is new, kept for the time when the login server is down. */
import { KithError } from "../../protocol/errors.ts";
import { type TrustAnchor, trustSupernodeList } from "../../protocol/trust.ts";
import type { Surroundings } from "../core/client-options.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db } from "../storage/database-schema.ts";
import type { HostCache } from "./host-cache.ts";

export class SupernodeListKeeper {
  readonly #db: Db;
  readonly #anchor: TrustAnchor;
  readonly #hosts: HostCache;
  readonly #surroundings: Surroundings;
  #revision = -1;
  #expiresAt = 0;

  constructor(db: Db, anchor: TrustAnchor, hosts: HostCache, surroundings: Surroundings) {
    this.#db = db;
    this.#anchor = anchor;
    this.#hosts = hosts;
    this.#surroundings = surroundings;
  }

  async load(): Promise<void> {
    const row = await this.#db.selectFrom("supernode_list").selectAll().executeTakeFirst();
    if (!row) return;
    try {
      const { value } = trustSupernodeList(this.#anchor, bytesOf(row.bytes));
      this.#revision = value.revision;
      this.#expiresAt = value.expiresAt;
      await this.#hosts.adopt(value.supernodes);
    } catch (error) {
      // Run out: the host cache's own entries are checked one by one when they are used.
      this.#surroundings.log.info("stored supernode list not used", { code: KithError.from(error).code });
    }
  }

  /** Whether a list of this revision would tell anything. */
  wants(revision: number): boolean {
    return revision > this.#revision || this.#expiresAt <= this.#surroundings.clock.now();
  }

  /**
   * Takes over a list that was fetched. A lower revision never replaces a higher one.
   * @returns whether it is news. Errors as trustSupernodeList.
   */
  async take(bytes: Uint8Array): Promise<boolean> {
    const { value } = trustSupernodeList(this.#anchor, bytes);
    const stale = this.#expiresAt <= this.#surroundings.clock.now();
    if (value.revision <= this.#revision && !stale) return false;
    this.#revision = value.revision;
    this.#expiresAt = value.expiresAt;
    const row = { revision: value.revision, bytes };
    await this.#db
      .insertInto("supernode_list")
      .values({ id: 1, ...row })
      .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
      .execute();
    await this.#hosts.adopt(value.supernodes);
    return true;
  }
}
