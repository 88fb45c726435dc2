/**
 * The giving half of replication. When the members change, records get new holders: of
 * those who held a record before and still live, the first two offer it to them. Besides,
 * everybody offers everything to somebody a few times a day, so that what a fault or a lie has
 * undone does not stay undone; and who is no holder any more gives its copy up once two
 * holders have the record.
 */
import type { DeviceId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import {
  MAX_OFFERED,
  MAX_SENT,
  type OfferedRecord,
  type ReplicationMessage,
  replicationBytes,
  type SentRecord,
} from "../../protocol/replication-message.ts";
import { TokenBucket } from "../membership/token-bucket.ts";
import { type RecordView, WALK_START, type WalkCursor } from "./packed-records.ts";
import type { PlacementTable } from "./placement-table.ts";
import { Intake } from "./replication-intake.ts";
import type { ReplicationParts } from "./replication-parts.ts";

/** Survivors who offer a record: one may lie, or die as well. */
const OFFERERS = 2;
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
/** Offers of a record to the same supernode, after 3, 6 and 12 seconds: that is how long news of the members may take. */
const MAX_ROUNDS = 3;
/** One batch of records in a message; several messages a tick. */
const SEND_BATCH = 50;

interface Pass {
  /** As it was before all of the changes, and before the last: each may be who has put a record where it is. */
  readonly before: readonly PlacementTable[];
  readonly after: PlacementTable;
  readonly left: readonly SupernodeId[];
  /** They may hold nothing of what they held before. */
  readonly joined: ReadonlySet<SupernodeId>;
  cursor: WalkCursor | null;
}

interface Offer {
  readonly to: SupernodeId;
  readonly records: readonly OfferedRecord[];
  readonly sent: Set<number>;
  /** Places of records of which nothing more is to be done. */
  readonly settled: Set<number>;
  readonly madeAt: number;
  /** Times that it was made again; null once it was answered. */
  tries: number | null;
  /** How often these records have been offered to the same supernode before. */
  readonly round: number;
}

export class Replication {
  readonly #parts: ReplicationParts;
  readonly #intake: Intake;
  readonly #bytes: TokenBucket;
  /** When members have last changed. */
  #changedAt: number;
  /** Since when there are changes that no pass has taken up. */
  #outdatedSince: number | null = null;
  #table: PlacementTable;
  /** The tables that it has replaced lately, oldest first. */
  #former: { readonly table: PlacementTable; readonly replacedAt: number }[] = [];
  #pass: Pass | null = null;
  #auditCursor: WalkCursor = WALK_START;
  #auditDebt = 0;
  #tickedAt: number;
  #nextOfferId: number;
  readonly #offers = new Map<number, Offer>();
  readonly #toOffer = new Map<SupernodeId, OfferedRecord[]>();
  #waitingToBeOffered = 0;
  readonly #toSend: { readonly to: SupernodeId; readonly record: OfferedRecord }[] = [];
  /** Copies that are not ours to keep, and the holders who have said that they have them. */
  readonly #orphans = new Map<string, Set<SupernodeId>>();

  /** @param now ms since 1970, as everywhere here */
  constructor(parts: ReplicationParts, now: number) {
    this.#parts = parts;
    this.#table = parts.members.placement();
    this.#intake = new Intake(parts, now);
    this.#changedAt = now;
    this.#tickedAt = now;
    this.#nextOfferId = Math.floor(parts.random() * 2 ** 32);
    const { bytesPerSecond } = parts.limits;
    this.#bytes = new TokenBucket(2 * bytesPerSecond, bytesPerSecond);
  }

  /** True while records may be on their way to new holders. */
  get isRepairing(): boolean {
    return this.#pass !== null || this.#backlog > 0 || this.#outdatedSince !== null;
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
    if (message.type === "answer") this.#onAnswer(from, message);
    else this.#intake.receive(from, message, now);
  }

  /** Some ten times a second. Each call is short, whatever there is to do. */
  tick(now: number): void {
    const elapsedMs = Math.max(0, now - this.#tickedAt);
    this.#tickedAt = now;
    if (!this.#pass && this.#isTimeToBegin(now)) this.#beginPass(now);
    if (this.#pass) this.#continuePass(this.#pass, now);
    else this.#audit(elapsedMs, now);
    this.#flushOffers(now);
    this.#sendRecords(now);
    this.#intake.tick(now);
    this.#repeatOffers(now);
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
    this.#pass = { before, after, left, joined, cursor: WALK_START };
  }

  #continuePass(pass: Pass, now: number): void {
    const { store, limits } = this.#parts;
    let weights = 0;
    // Offers that nobody has room for would only pile up.
    while (pass.cursor && weights < limits.weightsPerTick && this.#backlog < MAX_BACKLOG) {
      pass.cursor = store.walk(pass.cursor, WALK_STEP, now, (view) => {
        weights += this.#repair(pass, view);
      });
    }
    if (!pass.cursor) this.#pass = null;
  }

  /** @returns how many weights that took */
  #repair({ before, after, left, joined }: Pass, view: RecordView): number {
    const { self, replicas } = this.#parts;
    const changes = (left.length + joined.size) * before.length;
    // After a massacre hardly a record is where it was: to find out which costs more than to place them all.
    if (changes * LOOKS_PER_WEIGHT < after.members.length) {
      const isAffected =
        left.some((id) => before.some((table) => table.maybeHolds(view.userId, id))) ||
        [...joined].some((id) => after.maybeHolds(view.userId, id));
      if (!isAffected) return changes;
    }
    const holdersBefore = before.map((table) => table.holders(view.userId, replicas).filter((id) => !joined.has(id)));
    const targets = after
      .holders(view.userId, replicas)
      .filter((id) => id !== self && !holdersBefore.every((holders) => holders.includes(id)));
    const survivors = holdersBefore.map((holders) => holders.filter((id) => after.has(id)).slice(0, OFFERERS));
    // If none survives, whoever has a copy, for whatever reason, is the last hope.
    if (survivors.some((holders) => holders.length === 0 || holders.includes(self))) {
      for (const target of targets) this.#offer(target, view);
    }
    return before.reduce((sum, { members }) => sum + members.length, after.members.length);
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
      if (partner) this.#offer(partner, view);
      return;
    }
    if (now - this.#changedAt < limits.orphanGraceMs || this.#orphans.size >= MAX_ORPHANS) return;
    this.#orphans.set(keyOf(view), new Set());
    for (const holder of others.slice(0, CONFIRMATIONS + 1)) this.#offer(holder, view);
  }

  get #backlog(): number {
    return this.#waitingToBeOffered + this.#toSend.length;
  }

  #offer(to: SupernodeId, { userId, deviceId, sequence }: OfferedRecord): void {
    this.#waitingToBeOffered++;
    const records = this.#toOffer.get(to);
    const record = { userId, deviceId, sequence };
    if (records) records.push(record);
    else this.#toOffer.set(to, [record]);
  }

  #flushOffers(now: number): void {
    for (const [to, records] of this.#toOffer) {
      if (!this.#bytes.take(now)) return;
      if (!this.#parts.members.has(to)) {
        this.#waitingToBeOffered -= records.length;
        this.#toOffer.delete(to);
        continue;
      }
      const batch = records.splice(0, MAX_OFFERED);
      this.#waitingToBeOffered -= batch.length;
      if (records.length === 0) this.#toOffer.delete(to);
      this.#makeOffer(to, batch, 0, now);
    }
  }

  #makeOffer(to: SupernodeId, records: readonly OfferedRecord[], round: number, now: number): void {
    const offerId = this.#nextOfferId;
    this.#nextOfferId = (this.#nextOfferId + 1) >>> 0;
    this.#offers.set(offerId, { to, records, sent: new Set(), settled: new Set(), madeAt: now, tries: 0, round });
    this.#parts.metrics.offered += records.length;
    this.#say(to, { type: "offer", offerId, records }, now);
  }

  /** A newcomer does not listen to who is no member yet as far as it knows: in a moment it may. */
  #repeatOffers(now: number): void {
    const { limits, members } = this.#parts;
    for (const [offerId, offer] of this.#offers) {
      const { to, records, tries, madeAt } = offer;
      if (now - madeAt > limits.offerLifeMs || !members.has(to)) {
        this.#offers.delete(offerId);
      } else if (tries !== null && now - madeAt >= limits.offerRepeatMs * (2 ** (tries + 1) - 1)) {
        offer.tries = tries + 1;
        this.#say(to, { type: "offer", offerId, records }, now);
      } else if (tries === null && now - madeAt >= limits.offerRepeatMs * 2 ** (offer.round + 1)) {
        this.#offerRest(offer, now);
      }
    }
  }

  /**
   * Who neither wanted nor had a record expects it of another one, or has not heard yet who has died and
   * does not see that it is its to hold. Either may be otherwise in a moment.
   */
  #offerRest(offer: Offer, now: number): void {
    const rest = offer.records.filter((_, place) => !offer.settled.has(place));
    offer.records.forEach((_, place) => {
      offer.settled.add(place);
    });
    if (rest.length > 0 && offer.round < MAX_ROUNDS) this.#makeOffer(offer.to, rest, offer.round + 1, now);
  }

  #onAnswer(from: SupernodeId, answer: Extract<ReplicationMessage, { type: "answer" }>): void {
    const offer = this.#offers.get(answer.offerId);
    if (offer?.to !== from) {
      this.#parts.metrics.refused.unsolicited++;
      return;
    }
    offer.tries = null;
    for (const place of answer.wanted) {
      const record = offer.records[place];
      // Each once: who asks again and again would have us send a thousand times what it sends.
      if (!record || offer.sent.has(place)) continue;
      offer.sent.add(place);
      offer.settled.add(place);
      this.#toSend.push({ to: from, record });
    }
    for (const place of answer.held) {
      const record = offer.records[place];
      offer.settled.add(place);
      if (record) this.#confirm(from, record);
    }
  }

  #confirm(holder: SupernodeId, record: OfferedRecord): void {
    const confirmed = this.#orphans.get(keyOf(record));
    if (!confirmed) return;
    confirmed.add(holder);
    if (confirmed.size < CONFIRMATIONS) return;
    this.#orphans.delete(keyOf(record));
    if (this.#parts.store.drop(record.userId, record.deviceId)) this.#parts.metrics.dropped++;
  }

  #sendRecords(now: number): void {
    const { store, metrics } = this.#parts;
    while (this.#toSend.length > 0 && this.#bytes.take(now)) {
      const { to } = this.#toSend[0] as { to: SupernodeId };
      const records: SentRecord[] = [];
      while (this.#toSend[0]?.to === to && records.length < Math.min(SEND_BATCH, MAX_SENT)) {
        const { record } = this.#toSend.shift() as { record: OfferedRecord };
        const present = store.record(record.userId, record.deviceId, now);
        if (present) records.push({ lease: present.lease.bytes, gone: present.gone, lastSeenAt: present.lastSeenAt });
      }
      if (records.length === 0) continue;
      metrics.sent += records.length;
      this.#say(to, { type: "records", records }, now);
    }
  }

  #say(to: SupernodeId, message: ReplicationMessage, now: number): void {
    const bytes = replicationBytes(message);
    this.#bytes.charge(bytes, now);
    this.#parts.metrics.sentBytes += bytes;
    this.#parts.send(to, message);
  }
}

function keyOf({ userId, deviceId }: { readonly userId: UserId; readonly deviceId: DeviceId }): string {
  return userId + deviceId;
}
