/** The host book of one account, kept in its profile. */
import type { Busy } from "../../protocol/busy.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db } from "../storage/database-schema.ts";
import { HostBook } from "./host-book.ts";

export class HostCache {
  readonly #db: Db;
  readonly #book: HostBook;

  /** @param random uniform in [0, 1) */
  constructor(db: Db, random: () => number) {
    this.#db = db;
    this.#book = new HostBook(random);
  }

  async load(): Promise<void> {
    for (const row of await this.#db.selectFrom("host_cache").selectAll().execute()) {
      this.#book.remember({
        certificate: decodeSupernodeCertificate(bytesOf(row.certificate)),
        roundTripMs: row.round_trip_ms,
        failures: row.failures,
        lastUsedAt: row.last_used_at,
      });
    }
  }

  /** As HostBook.adopt. */
  async adopt(list: readonly Signed<SupernodeCertificate>[]): Promise<void> {
    this.#book.adopt(list);
    await this.#store();
  }

  /** As HostBook.candidates. */
  candidates(now: number, except: SupernodeId | null): SupernodeCertificate[] {
    return this.#book.candidates(now, except);
  }

  /** As HostBook.busyForMs. */
  busyForMs(now: number, except: SupernodeId | null): number {
    return this.#book.busyForMs(now, except);
  }

  async succeeded(id: SupernodeId, roundTripMs: number, now: number): Promise<void> {
    this.#book.succeeded(id, roundTripMs, now);
    await this.#update(id);
  }

  async failed(id: SupernodeId): Promise<void> {
    this.#book.failed(id);
    await this.#update(id);
  }

  /** As HostBook.refused: of today alone, and not stored. */
  refused(id: SupernodeId, busy: Busy, now: number): void {
    this.#book.refused(id, busy, now);
  }

  has(id: SupernodeId): boolean {
    return this.#book.get(id) !== undefined;
  }

  get size(): number {
    return this.#book.size;
  }

  async #update(id: SupernodeId): Promise<void> {
    const known = this.#book.get(id);
    if (!known) return;
    const { roundTripMs, failures, lastUsedAt } = known;
    await this.#db
      .updateTable("host_cache")
      .set({ round_trip_ms: roundTripMs, failures, last_used_at: lastUsedAt })
      .where("supernode_id", "=", id)
      .execute();
  }

  async #store(): Promise<void> {
    const rows = this.#book.all().map(({ certificate, roundTripMs, failures, lastUsedAt }) => ({
      supernode_id: certificate.value.supernodeId,
      certificate: certificate.bytes,
      round_trip_ms: roundTripMs,
      failures,
      last_used_at: lastUsedAt,
    }));
    await this.#db.transaction().execute(async (tx) => {
      await tx.deleteFrom("host_cache").execute();
      if (rows.length > 0) await tx.insertInto("host_cache").values(rows).execute();
    });
  }
}
