/**
 * The giving half of replication. When the members change, records get new holders: the first of those
 * who held a record before and still live offers it to them, and a moment later the second, who finds out by that
 * whether the first has. Besides, everybody offers everything to somebody a few times a day, so that what a fault or a
 * lie has undone does not stay undone; and who is no holder any more gives its copy up once two holders have the record.
 */
import type { DeviceId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { OfferedRecord, ReplicationMessage } from "../../protocol/replication-message.ts";
import { Offers } from "./offers.ts";
import { type RecordView, WALK_START, type WalkCursor } from "./packed-records.ts";
import type { PlacementTable } from "./placement-table.ts";
import { Intake } from "./replication-intake.ts";
import type { ReplicationParts } from "./replication-parts.ts";

/** Holders who must have a record before we give up a copy that is not ours to keep. */
const CONFIRMATIONS = 2;
const MAX_ORPHANS = 20_000;
const MAX_SETTLES = 4;
/**
 * Supernodes that die together are noticed one after the other, and who is handed a record first may be
 * among them, as may who is to hand it over. So what changes within this time is repaired together.
 */
const OVERLAP_MS = 15_000;
/** Tables from that time that are kept. */
const MAX_FORMER = 4;
const WALK_STEP = 64;
/** Asking whether one member may hold a record costs as much as this many weights. */
const LOOKS_PER_WEIGHT = 20;
/** Records that wait to be offered or sent: beyond, the pass over the store waits for them. */
const MAX_BACKLOG = 20_000;

/** What the members were, and are. */
interface Upheaval {
  /** As it was before all of the changes, and before the last: each may be who has put a record where it is. */
  readonly before: readonly PlacementTable[];
  readonly after: PlacementTable;
  readonly left: readonly SupernodeId[];
  /** They may hold nothing of what they held before. */
  readonly joined: ReadonlySet<SupernodeId>;
}

interface Pass {
  readonly upheaval: Upheaval;
  /** Who offers what it holds: of each record's survivors the first, or the second. */
  readonly offerer: 0 | 1;
  readonly beginAt: number;
  cursor: WalkCursor | null;
}

export class Replication {
  readonly #parts: ReplicationParts;
  readonly #intake: Intake;
  readonly #offers: Offers;
  /** When members have last changed. */
  #changedAt: number;
  /** Since when there are changes that no pass has taken up. */
  #outdatedSince: number | null = null;
  #table: PlacementTable;
  /** The tables that it has replaced lately, oldest first. */
  #former: { readonly table: PlacementTable; readonly replacedAt: number }[] = [];
  #pass: Pass | null = null;
  /** One survivor may lie, or die as well: so the second offers too, once the first has had its time. */
  #secondPass: Pass | null = null;
  /** What has happened since that began. */
  #nextForSecond: Upheaval | null = null;
  #auditCursor: WalkCursor = WALK_START;
  #auditDebt = 0;
  #tickedAt: number;
  /** Copies that are not ours to keep, and the holders who have said that they have them. */
  readonly #orphans = new Map<string, Set<SupernodeId>>();

  /** @param now ms since 1970, as everywhere here */
  constructor(parts: ReplicationParts, now: number) {
    this.#parts = parts;
    this.#table = parts.members.placement();
    this.#intake = new Intake(parts, now);
    this.#changedAt = now;
    this.#tickedAt = now;
    this.#offers = new Offers(parts, (holder, record) => this.#confirm(holder, record));
  }

  /** True while records may be on their way to new holders. */
  get isRepairing(): boolean {
    return this.#pass !== null || this.#offers.backlog > 0 || this.#outdatedSince !== null;
  }

  /** Somebody has joined or left. */
  membersChanged(now: number): void {
    this.#outdatedSince ??= now;
    this.#changedAt = now;
  }

  receive(from: SupernodeId, message: ReplicationMessage, now: number): void {
    if (!this.#parts.members.has(from)) {
      this.#parts.metrics.refused["not-a-member"]++;
      return;
    }
    if (message.type === "answer") this.#offers.onAnswer(from, message);
    else this.#intake.receive(from, message, now);
  }

  /** Some ten times a second. Each call is short, whatever there is to do. */
  tick(now: number): void {
    const elapsedMs = Math.max(0, now - this.#tickedAt);
    this.#tickedAt = now;
    if (!this.#pass && this.#isTimeToBegin(now)) this.#beginPass(now);
    if (this.#pass) this.#continueFirst(this.#pass, now);
    else if (this.#secondPass && this.#secondPass.beginAt <= now) this.#continueSecond(this.#secondPass, now);
    else this.#audit(elapsedMs, now);
    this.#offers.tick(now);
    this.#intake.tick(now);
  }

  /** Once it is quiet, but not for ever: in a big network somebody always comes or goes. */
  #isTimeToBegin(now: number): boolean {
    if (this.#outdatedSince === null) return false;
    const { settleMs } = this.#parts.limits;
    return now - this.#changedAt >= settleMs || now - this.#outdatedSince >= MAX_SETTLES * settleMs;
  }

  #beginPass(now: number): void {
    this.#former = this.#former.filter(({ replacedAt }) => now - replacedAt < OVERLAP_MS);
    // When very many die, a pass follows on the next: a few of the tables in between tell enough.
    const last = this.#former.at(-1);
    if (!last || now - last.replacedAt >= OVERLAP_MS / MAX_FORMER) {
      this.#former.push({ table: this.#table, replacedAt: now });
    }
    const former = this.#former.map(({ table }) => table);
    if (former.at(-1) !== this.#table) former.push(this.#table);
    const before = former.length > 1 ? [former[0] as PlacementTable, this.#table] : [this.#table];
    const after = this.#parts.members.placement();
    this.#outdatedSince = null;
    this.#table = after;
    this.#orphans.clear();
    this.#parts.metrics.passes++;
    const left = [...new Set(before.flatMap((table) => after.changesSince(table).left))];
    const joined = new Set(former.flatMap((table) => after.changesSince(table).joined));
    this.#pass = { upheaval: { before, after, left, joined }, offerer: 0, beginAt: now, cursor: WALK_START };
  }

  #continueFirst(pass: Pass, now: number): void {
    this.#continuePass(pass, now);
    if (pass.cursor) return;
    this.#pass = null;
    if (this.#secondPass && this.#secondPass.beginAt <= now) this.#nextForSecond = pass.upheaval;
    else this.#planSecond(pass.upheaval, this.#secondPass?.beginAt ?? now + this.#parts.limits.secondOfferMs);
  }

  #continueSecond(pass: Pass, now: number): void {
    this.#continuePass(pass, now);
    if (pass.cursor) return;
    this.#secondPass = null;
    if (this.#nextForSecond) this.#planSecond(this.#nextForSecond, now + this.#parts.limits.secondOfferMs);
    this.#nextForSecond = null;
  }

  /** The latest upheaval has what came shortly before it in it. */
  #planSecond(upheaval: Upheaval, beginAt: number): void {
    this.#secondPass = { upheaval, offerer: 1, beginAt, cursor: WALK_START };
  }

  #continuePass(pass: Pass, now: number): void {
    const { store, limits } = this.#parts;
    let weights = 0;
    // Offers that nobody has room for would only pile up.
    while (pass.cursor && weights < limits.weightsPerTick && this.#offers.backlog < MAX_BACKLOG) {
      pass.cursor = store.walk(pass.cursor, WALK_STEP, now, (view) => {
        weights += this.#repair(pass, view);
      });
    }
  }

  /** @returns how many weights that took */
  #repair({ upheaval: { before, after, left, joined }, offerer }: Pass, view: RecordView): number {
    const { self, replicas } = this.#parts;
    const changes = (left.length + joined.size) * before.length;
    // After a massacre hardly a record is where it was: to find out which costs more than to place them all.
    if (changes * LOOKS_PER_WEIGHT < after.members.length) {
      const isAffected =
        left.some((id) => before.some((table) => table.maybeHolds(view.userId, id))) ||
        [...joined].some((id) => after.maybeHolds(view.userId, id));
      if (!isAffected) return changes;
    }
    const weights = before.reduce((sum, { members }) => sum + members.length, 0);
    const holdersBefore = before.map((table) => table.holders(view.userId, replicas).filter((id) => !joined.has(id)));
    const survivors = holdersBefore.map((holders) => holders.filter((id) => after.has(id)));
    // If none survives, whoever has a copy, for whatever reason, is the last hope.
    if (!survivors.some((holders) => holders[offerer] === self || (offerer === 0 && holders.length === 0)))
      return weights;
    for (const id of after.holders(view.userId, replicas)) {
      if (id !== self && !holdersBefore.every((holders) => holders.includes(id))) this.#offers.offer(id, view);
    }
    return weights + after.members.length;
  }

  #audit(elapsedMs: number, now: number): void {
    const { store, limits } = this.#parts;
    this.#auditDebt = Math.min(this.#auditDebt + (store.size * elapsedMs) / limits.auditMs, 10_000);
    let weights = 0;
    while (this.#auditDebt >= 1 && weights < limits.weightsPerTick / 4) {
      const step = Math.min(WALK_STEP, Math.floor(this.#auditDebt));
      this.#auditDebt -= step;
      const next = store.walk(this.#auditCursor, step, now, (view) => {
        weights += this.#table.members.length;
        this.#auditOne(view, now);
      });
      this.#auditCursor = next ?? WALK_START;
      if (!next) break;
    }
  }

  #auditOne(view: RecordView, now: number): void {
    const { self, replicas, random, limits } = this.#parts;
    const holders = this.#table.holders(view.userId, replicas);
    const others = holders.filter((id) => id !== self);
    if (holders.includes(self)) {
      const partner = others[Math.floor(random() * others.length)];
      if (partner) this.#offers.offer(partner, view);
      return;
    }
    if (now - this.#changedAt < limits.orphanGraceMs || this.#orphans.size >= MAX_ORPHANS) return;
    this.#orphans.set(keyOf(view), new Set());
    for (const holder of others.slice(0, CONFIRMATIONS + 1)) this.#offers.offer(holder, view);
  }

  #confirm(holder: SupernodeId, record: OfferedRecord): void {
    const confirmed = this.#orphans.get(keyOf(record));
    if (!confirmed) return;
    confirmed.add(holder);
    if (confirmed.size < CONFIRMATIONS) return;
    this.#orphans.delete(keyOf(record));
    if (this.#parts.store.drop(record.userId, record.deviceId)) this.#parts.metrics.dropped++;
  }
}

function keyOf({ userId, deviceId }: { readonly userId: UserId; readonly deviceId: DeviceId }): string {
  return userId + deviceId;
}
