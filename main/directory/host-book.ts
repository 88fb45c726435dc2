/** Which supernodes a client knows and in what order it tries them. In memory; host-cache.ts keeps it on disk. */
import type { Busy } from "../../protocol/busy.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { HOST_CACHE_SIZE } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";

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
/** A supernode that refuses again and again is left alone for up to this long, jitter not counted. */
const MAX_BUSY_MS = 15_000;

export class HostBook {
  readonly #random: () => number;
  readonly #known = new Map<SupernodeId, KnownSupernode>();
  /** Those that wanted to be left alone: how often in a row, and until when (ms since 1970). */
  readonly #busy = new Map<SupernodeId, { readonly times: number; readonly until: number }>();

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** As remembered from an earlier time. */
  remember(known: KnownSupernode): void {
    this.#known.set(known.certificate.value.supernodeId, known);
  }

  /**
   * Takes over a trusted supernode list: what it no longer has is forgotten, new ones fill the
   * free places by lot, so that not every client knows the same ones.
   */
  adopt(list: readonly Signed<SupernodeCertificate>[]): void {
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
  }

  /**
   * Supernodes to try, best first; those that want to be left alone are not among them. Among
   * about equally near ones the order is drawn by lot: load spreads.
   */
  candidates(now: number, except: SupernodeId | null): SupernodeCertificate[] {
    return [...this.#usable(now, except)]
      .filter(({ certificate }) => this.#freeAt(certificate.value.supernodeId) <= now)
      .map((known) => ({ value: known.certificate.value, rank: rank(known), lot: this.#random() }))
      .sort((a, b) => a.rank - b.rank || a.lot - b.lot)
      .map(({ value }) => value);
  }

  /** How long until there is one to try again, in ms; 0 where there is one now, or none at all. */
  busyForMs(now: number, except: SupernodeId | null): number {
    const waits = [...this.#usable(now, except)].map(
      ({ certificate }) => this.#freeAt(certificate.value.supernodeId) - now,
    );
    return waits.length === 0 ? 0 : Math.max(0, Math.min(...waits));
  }

  succeeded(id: SupernodeId, roundTripMs: number, now: number): void {
    this.#busy.delete(id);
    this.#update(id, { roundTripMs, failures: 0, lastUsedAt: now });
  }

  failed(id: SupernodeId): void {
    this.#update(id, { failures: (this.#known.get(id)?.failures ?? 0) + 1 });
  }

  /**
   * It takes nobody just now, which is no fault. It is left alone for at least as long as it
   * asked for, longer each time in a row, and for up to double that by lot: those whom it
   * refused together do not come back together.
   */
  refused(id: SupernodeId, { waitSeconds }: Busy, now: number): void {
    const times = (this.#busy.get(id)?.times ?? 0) + 1;
    const leastMs = waitSeconds * 1_000;
    const waitMs = Math.max(leastMs, Math.min(leastMs * 2 ** (times - 1), MAX_BUSY_MS));
    this.#busy.set(id, { times, until: now + waitMs * (1 + this.#random()) });
  }

  get(id: SupernodeId): KnownSupernode | undefined {
    return this.#known.get(id);
  }

  all(): KnownSupernode[] {
    return [...this.#known.values()];
  }

  get size(): number {
    return this.#known.size;
  }

  *#usable(now: number, except: SupernodeId | null): Iterable<KnownSupernode> {
    for (const known of this.#known.values()) {
      const { supernodeId, expiresAt } = known.certificate.value;
      if (supernodeId !== except && expiresAt > now) yield known;
    }
  }

  #freeAt(id: SupernodeId): number {
    return this.#busy.get(id)?.until ?? 0;
  }

  #update(id: SupernodeId, change: Partial<KnownSupernode>): void {
    const known = this.#known.get(id);
    if (known) this.#known.set(id, { ...known, ...change });
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
