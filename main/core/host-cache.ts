/** The supernodes that this client knows, best first: those that answered, by their measured round trip. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { HOST_CACHE_SIZE } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { bytesOf } from "./database.ts";
import type { Db } from "./database-schema.ts";

export interface KnownSupernode {
  readonly certificate: Signed<SupernodeCertificate>;
  /** null: never attached to. */
  readonly roundTripMs: number | null;
  /** Attempts that failed since the last that did not. */
  readonly failures: number;
  /** ms since 1970; 0: never. */
  readonly lastUsedAt: number;
}

/** What is not measured yet is tried after the near ones and before the far ones. */
const ASSUMED_ROUND_TRIP_MS = 80;

export class HostCache {
  readonly #db: Db;
  readonly #random: () => number;
  readonly #known = new Map<SupernodeId, KnownSupernode>();

  /** @param random uniform in [0, 1) */
  constructor(db: Db, random: () => number) {
    this.#db = db;
    this.#random = random;
  }

  async load(): Promise<void> {
    for (const row of await this.#db.selectFrom("host_cache").selectAll().execute()) {
      this.#known.set(row.supernode_id, {
        certificate: decodeSupernodeCertificate(bytesOf(row.certificate)),
        roundTripMs: row.round_trip_ms,
        failures: row.failures,
        lastUsedAt: row.last_used_at,
      });
    }
  }

  /**
   * Takes over a trusted supernode list: what it no longer has is forgotten, new ones fill the
   * free places by lot, so that not every client knows the same ones.
   */
  async adopt(list: readonly Signed<SupernodeCertificate>[]): Promise<void> {
    const listed = new Map(list.map((entry) => [entry.value.supernodeId, entry]));
    for (const [id, known] of this.#known) {
      const certificate = listed.get(id);
      if (certificate) this.#known.set(id, { ...known, certificate });
      else this.#known.delete(id);
    }
    for (const certificate of shuffled([...listed.values()], this.#random)) {
      if (this.#known.size >= HOST_CACHE_SIZE) break;
      const id = certificate.value.supernodeId;
      if (!this.#known.has(id)) this.#known.set(id, { certificate, roundTripMs: null, failures: 0, lastUsedAt: 0 });
    }
    await this.#store();
  }

  /** Supernodes to try, best first. Among about equally near ones the order is drawn by lot: load spreads. */
  candidates(now: number, except: SupernodeId | null): SupernodeCertificate[] {
    return [...this.#known.values()]
      .filter(({ certificate: { value } }) => value.supernodeId !== except && value.expiresAt > now)
      .map((known) => ({ value: known.certificate.value, rank: rank(known), lot: this.#random() }))
      .sort((a, b) => a.rank - b.rank || a.lot - b.lot)
      .map(({ value }) => value);
  }

  async succeeded(id: SupernodeId, roundTripMs: number, now: number): Promise<void> {
    await this.#update(id, { roundTripMs, failures: 0, lastUsedAt: now });
  }

  async failed(id: SupernodeId): Promise<void> {
    await this.#update(id, { failures: (this.#known.get(id)?.failures ?? 0) + 1 });
  }

  get size(): number {
    return this.#known.size;
  }

  async #update(id: SupernodeId, change: Partial<KnownSupernode>): Promise<void> {
    const known = this.#known.get(id);
    if (!known) return;
    const next = { ...known, ...change };
    this.#known.set(id, next);
    await this.#db
      .updateTable("host_cache")
      .set({ round_trip_ms: next.roundTripMs, failures: next.failures, last_used_at: next.lastUsedAt })
      .where("supernode_id", "=", id)
      .execute();
  }

  async #store(): Promise<void> {
    const rows = [...this.#known.values()].map(({ certificate, roundTripMs, failures, lastUsedAt }) => ({
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

/** Failures count most; then the round trip, in steps of a doubling. */
function rank({ failures, roundTripMs }: KnownSupernode): number {
  const steps = Math.round(Math.log2(4 + (roundTripMs ?? ASSUMED_ROUND_TRIP_MS)));
  return Math.min(failures, 10) * 100 + steps;
}

function shuffled<T>(items: T[], random: () => number): T[] {
  for (let index = items.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [items[index], items[other]] = [items[other] as T, items[index] as T];
  }
  return items;
}
