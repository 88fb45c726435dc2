/**
 * What this supernode offers to others, and sends to those who want it. An offer is made again until it is
 * answered, and then for what the other one does not say that it has; and nothing is offered twice at the same time to
 * the same supernode, however often a pass over the store comes to it.
 */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import {
  MAX_OFFERED,
  MAX_SENT,
  type OfferedRecord,
  type ReplicationMessage,
  replicationBytes,
  type SentRecord,
} from "../../protocol/replication-message.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { ReplicationParts } from "./replication-parts.ts";

/** Offers of a record to the same supernode, after 1.5, 3, 6 and 12 seconds: that is how long news of the members may take. */
const MAX_ROUNDS = 4;
/** One batch of records in a message; several messages a tick. */
const SEND_BATCH = 50;

interface Offer {
  readonly to: SupernodeId;
  readonly records: readonly OfferedRecord[];
  /** Places of records. */
  readonly sent: Set<number>;
  /** Those that the other one has not said that it has: what was only sent may have been lost with the line. */
  readonly open: Set<number>;
  readonly madeAt: number;
  /** Times that it was made again; null once it was answered. */
  tries: number | null;
  /** How often these records have been offered to the same supernode before. */
  readonly round: number;
}

export class Offers {
  readonly #parts: ReplicationParts;
  readonly #onHeld: (holder: SupernodeId, record: OfferedRecord) => void;
  readonly #bytes: TokenBucket;
  #nextId: number;
  readonly #offers = new Map<number, Offer>();
  /** What waits to be offered or was, as long as its offer is remembered: by recipient, user, device and sequence. */
  readonly #known = new Set<string>();
  readonly #toOffer = new Map<SupernodeId, OfferedRecord[]>();
  #waiting = 0;
  readonly #toSend: { readonly to: SupernodeId; readonly record: OfferedRecord }[] = [];

  /** @param onHeld somebody says that it has this record, or a newer one */
  constructor(parts: ReplicationParts, onHeld: (holder: SupernodeId, record: OfferedRecord) => void) {
    this.#parts = parts;
    this.#onHeld = onHeld;
    this.#nextId = Math.floor(parts.random() * 2 ** 32);
    const { bytesPerSecond } = parts.limits;
    this.#bytes = new TokenBucket(2 * bytesPerSecond, bytesPerSecond);
  }

  /** Records that wait to be offered or sent. */
  get backlog(): number {
    return this.#waiting + this.#toSend.length;
  }

  offer(to: SupernodeId, { userId, deviceId, sequence }: OfferedRecord): void {
    const record = { userId, deviceId, sequence };
    const key = keyOf(to, record);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#waiting++;
    const records = this.#toOffer.get(to);
    if (records) records.push(record);
    else this.#toOffer.set(to, [record]);
  }

  tick(now: number): void {
    this.#flush(now);
    this.#sendRecords(now);
    this.#repeat(now);
  }

  onAnswer(from: SupernodeId, answer: Extract<ReplicationMessage, { type: "answer" }>): void {
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
      this.#toSend.push({ to: from, record });
    }
    for (const place of answer.held) {
      const record = offer.records[place];
      offer.open.delete(place);
      if (record) this.#onHeld(from, record);
    }
  }

  #flush(now: number): void {
    for (const [to, records] of this.#toOffer) {
      if (!this.#bytes.take(now)) return;
      const batch = records.splice(0, MAX_OFFERED);
      this.#waiting -= batch.length;
      if (records.length === 0) this.#toOffer.delete(to);
      if (this.#parts.members.has(to)) this.#make(to, batch, 0, now);
      else this.#forget(to, batch);
    }
  }

  #make(to: SupernodeId, records: readonly OfferedRecord[], round: number, now: number): void {
    const offerId = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0;
    const open = new Set(records.keys());
    this.#offers.set(offerId, { to, records, sent: new Set(), open, madeAt: now, tries: 0, round });
    this.#parts.metrics.offered += records.length;
    this.#say(to, { type: "offer", offerId, records }, now);
  }

  /** A newcomer does not listen to who is no member yet as far as it knows: in a moment it may. */
  #repeat(now: number): void {
    const { limits, members } = this.#parts;
    for (const [offerId, offer] of this.#offers) {
      const { to, records, tries, madeAt, open } = offer;
      if (now - madeAt > limits.offerLifeMs || !members.has(to)) {
        this.#offers.delete(offerId);
        this.#forget(to, records);
      } else if (tries !== null && now - madeAt >= limits.offerRepeatMs * (2 ** (tries + 1) - 1)) {
        offer.tries = tries + 1;
        this.#say(to, { type: "offer", offerId, records }, now);
      } else if (tries === null && open.size > 0 && now - madeAt >= limits.offerRepeatMs * 2 ** offer.round) {
        this.#offerRest(offer, now);
      }
    }
  }

  /**
   * Who neither wanted nor had a record expects it of another one, or has not heard yet who has died and
   * does not see that it is its to hold. Who wanted it may never have got it. Either may be otherwise in a moment.
   */
  #offerRest(offer: Offer, now: number): void {
    const rest = offer.records.filter((_, place) => offer.open.has(place));
    offer.open.clear();
    if (offer.round < MAX_ROUNDS) this.#make(offer.to, rest, offer.round + 1, now);
  }

  #forget(to: SupernodeId, records: readonly OfferedRecord[]): void {
    for (const record of records) this.#known.delete(keyOf(to, record));
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

function keyOf(to: SupernodeId, { userId, deviceId, sequence }: OfferedRecord): string {
  return `${to}${userId}${deviceId}${sequence}`;
}
