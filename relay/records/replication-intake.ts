/** The taking half of replication: which records that are offered are wanted, and which that come are believed. */
import { toHex } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { OfferedRecord, ReplicationMessage, SentRecord } from "../../protocol/replication-message.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { PlacementTable } from "./placement-table.ts";
import { isLeaseShaped, ownerIn } from "./record-layout.ts";
import type { ReplicationParts } from "./replication-parts.ts";

/** Supernodes may disagree for a while on who the members are; a record this far from its place is still taken. */
const TOLERANCE = 2;

const MAX_ALTERNATIVES = 2;

/** One who has offered a record that we have asked another for. */
interface Alternative {
  readonly from: SupernodeId;
  readonly offerId: number;
  readonly place: number;
}

interface Pending {
  /** What was offered: an older lease than that does not end the waiting. */
  readonly sequence: number;
  /** A record is taken of any of these, however late: their line may be busy. */
  readonly asked: Set<SupernodeId>;
  readonly firstAsked: SupernodeId;
  /** When the next one is asked. */
  until: number;
  readonly alternatives: Alternative[];
  /** Nobody is left to ask. */
  isOverdue: boolean;
}

interface SourceBudget {
  readonly offered: TokenBucket;
  readonly adoptions: TokenBucket;
  /** Records taken of it, since this process started. */
  adopted: number;
  /** Records that we wait for because this one offered them. */
  pending: number;
}

export class Intake {
  readonly #parts: ReplicationParts;
  readonly #pending = new Map<string, Pending>();
  readonly #budgets = new Map<SupernodeId, SourceBudget>();
  #sweptAt: number;

  constructor(parts: ReplicationParts, now: number) {
    this.#parts = parts;
    this.#sweptAt = now;
  }

  receive(from: SupernodeId, message: Exclude<ReplicationMessage, { type: "answer" }>, now: number): void {
    if (message.type === "offer") this.#onOffer(from, message.offerId, message.records, now);
    else for (const record of message.records) this.#onRecord(from, record, now);
  }

  tick(now: number): void {
    if (now - this.#sweptAt < this.#parts.limits.pendingMs / 5) return;
    this.#sweptAt = now;
    for (const [key, pending] of this.#pending) if (pending.until <= now) this.#askNext(key, pending, now);
  }

  #onOffer(from: SupernodeId, offerId: number, records: readonly OfferedRecord[], now: number): void {
    const { metrics, members } = this.#parts;
    // Of the members as they are this moment: a repair of our own may not have begun yet.
    const table = members.placement();
    const budget = this.#budgetOf(from);
    const wanted: number[] = [];
    const held: number[] = [];
    for (const [place, record] of records.entries()) {
      if (!budget.offered.take(now)) {
        metrics.refused.flooded += records.length - place;
        break;
      }
      const verdict = this.#judge(record, { from, offerId, place }, table, now);
      if (verdict === "held") held.push(place);
      if (verdict === "wanted") wanted.push(place);
      if (verdict === "misplaced") metrics.refused.misplaced++;
    }
    this.#parts.send(from, { type: "answer", offerId, wanted, held });
  }

  #judge(
    record: OfferedRecord,
    source: Alternative,
    table: PlacementTable,
    now: number,
  ): "wanted" | "held" | "misplaced" | "expected" {
    const { store, self, replicas, limits } = this.#parts;
    const present = store.sequenceOf(record.userId, record.deviceId);
    if (present !== null && present >= record.sequence) return "held";
    if (!table.holders(record.userId, TOLERANCE * replicas).includes(self)) return "misplaced";
    const key = record.userId + record.deviceId;
    const pending = this.#pending.get(key);
    if (pending && !pending.isOverdue && pending.sequence >= record.sequence) {
      if (pending.alternatives.length < MAX_ALTERNATIVES) pending.alternatives.push(source);
      return "expected";
    }
    const budget = this.#budgetOf(source.from);
    if (this.#pending.size >= limits.maxPending || budget.pending >= limits.maxPendingOfOne) return "expected";
    if (pending?.isOverdue) this.#parts.metrics.secondSource++;
    this.#forget(key);
    budget.pending++;
    this.#pending.set(key, {
      sequence: record.sequence,
      asked: new Set([...(pending?.asked ?? []), source.from]),
      firstAsked: source.from,
      until: now + limits.pendingMs,
      alternatives: [],
      isOverdue: false,
    });
    return "wanted";
  }

  #onRecord(from: SupernodeId, { lease: bytes, gone, lastSeenAt }: SentRecord, now: number): void {
    const { store, metrics, trustLease } = this.#parts;
    if (!isLeaseShaped(bytes)) {
      metrics.refused.forged++;
      return;
    }
    const { user, device } = ownerIn(bytes);
    const key = toHex(user) + toHex(device);
    const pending = this.#pending.get(key);
    if (!pending?.asked.has(from)) {
      metrics.refused.unsolicited++;
      return;
    }
    if (!this.#mayAdopt(from, now)) {
      metrics.refused.flooded++;
      return;
    }
    try {
      const lease = trustLease(bytes, now);
      const result = store.adopt(lease, { gone, lastSeenAt }, now);
      if (result === "stored") {
        metrics.adopted++;
        this.#budgetOf(from).adopted++;
      }
      if (result === "stale" || lease.value.sequence < pending.sequence) metrics.refused.stale++;
      if (lease.value.sequence >= pending.sequence) this.#forget(key);
      else this.#askNext(key, pending, now);
    } catch (error) {
      if (!(error instanceof KithError)) throw error;
      metrics.refused[error.code === "clock-skew" ? "from-the-future" : "forged"]++;
      this.#askNext(key, pending, now);
    }
  }

  /** Who was asked has not sent it, or sent a forgery: another one has offered it too, or there will be other offers. */
  #askNext(key: string, pending: Pending, now: number): void {
    const { limits } = this.#parts;
    const next = pending.alternatives.shift();
    if (!next) {
      if (pending.isOverdue) this.#forget(key);
      pending.isOverdue = true;
      pending.until = now + limits.overdueMs;
      return;
    }
    pending.asked.add(next.from);
    pending.until = now + limits.pendingMs;
    this.#parts.metrics.secondSource++;
    this.#parts.send(next.from, { type: "answer", offerId: next.offerId, wanted: [next.place], held: [] });
  }

  #forget(key: string): void {
    const pending = this.#pending.get(key);
    if (!pending) return;
    this.#pending.delete(key);
    const budget = this.#budgets.get(pending.firstAsked);
    if (budget) budget.pending--;
  }

  #mayAdopt(from: SupernodeId, now: number): boolean {
    const { adoptions, adopted } = this.#budgetOf(from);
    if (adoptions.take(now)) return true;
    const { metrics, limits } = this.#parts;
    const byOthers = (metrics.adopted - adopted) / Math.max(1, this.#budgets.size - 1);
    return adopted < limits.adoptedShare * byOthers;
  }

  /** Kept when a supernode leaves: it must not have another burst for coming back. */
  #budgetOf(from: SupernodeId): SourceBudget {
    const known = this.#budgets.get(from);
    if (known) return known;
    const { offeredBurst, offeredPerSecond, adoptedBurst, adoptedPerSecond } = this.#parts.limits;
    const budget = {
      pending: 0,
      offered: new TokenBucket(offeredBurst, offeredPerSecond),
      adoptions: new TokenBucket(adoptedBurst, adoptedPerSecond),
      adopted: 0,
    };
    this.#budgets.set(from, budget);
    return budget;
  }
}
