/**
 * What gossip has not brought, comparison does (Demers et al., "Epidemic Algorithms for
 * Replicated Database Maintenance", PODC 1987): now and then two members compare hashes of
 * what they know, then the lists where these differ, and tell each other what is missing.
 * It is also how a newcomer learns of all members.
 */
import { type GossipItem, itemBytes } from "../../protocol/gossip-item.ts";
import {
  MAX_ITEMS_BYTES,
  MAX_RANGE_MEMBERS,
  MAX_RANGES_BYTES,
  rangeBytes,
  type SummaryEntry,
  type SummaryRange,
  type Wanted,
} from "../../protocol/gossip-message.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type GossipContext, jittered, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import { bucketOf, prefixOf } from "./member-table.ts";
import type { Peer } from "./peer.ts";
import type { Wishes } from "./wishes.ts";

/** An answer may take this long, beyond which nobody waits for it. */
const ANSWER_MS = 5_000;
/**
 * Members that one comparison asks for; the next one goes on. All that thousands have to tell would overflow the
 * socket, and exceed what is taken from one member, so that most of it had to be asked for again.
 */
const MAX_WISHES = 120;
/** After a comparison that was cut short, so many unanswered ones end the catching up. */
const CATCH_UP_TRIES = 3;
/** A newcomer compares again after these, with others: a lost packet must not leave it without a part of the members. */
const NEWCOMER_SYNCS_MS = [1_000, 2_000, 4_000, 8_000];

/** After a partition has healed, one side disputes the whole other: a few probes tell as much. */
const MAX_DOUBTS = 3;

type Known = Pick<Peer, "id" | "announcement" | "item">;

/** What one member may still tell us, and cost us. */
interface Comparison {
  readonly until: number;
  wishesLeft: number;
}

export interface AntiEntropyOutcomes {
  /** Another member holds for live whom we hold for dead. */
  onSignOfLife(peer: Peer): void;
  /** Another member does not count whom we hold for live: it may have died without our hearing of it. */
  onDisputed(peer: Peer): void;
}

export class AntiEntropy {
  readonly #context: GossipContext;
  readonly #outcomes: AntiEntropyOutcomes;
  readonly #wishes: Wishes;
  /** Whom we have asked. */
  readonly #asked = new Map<SupernodeId, Comparison>();
  #isCatchingUp = false;
  #triesLeft = 0;
  /** Members that this comparison may still have us look after. */
  #doubts = 0;

  constructor(context: GossipContext, wishes: Wishes, outcomes: AntiEntropyOutcomes) {
    this.#context = context;
    this.#wishes = wishes;
    this.#outcomes = outcomes;
  }

  start(): void {
    const { agenda, now, times, random } = this.#context;
    agenda.schedule(now + times.syncMs * random(), () => this.#periodic());
  }

  /** This supernode has just become a member. */
  learnAll(from: Peer): void {
    const { agenda, now } = this.#context;
    this.syncWith(from);
    for (const ms of NEWCOMER_SYNCS_MS) {
      agenda.schedule(now + ms, () => this.#syncWithAny());
    }
  }

  syncWith(peer: Peer): void {
    const { table, metrics, now } = this.#context;
    metrics.syncs++;
    this.#asked.set(peer.id, { until: now + ANSWER_MS, wishesLeft: MAX_WISHES });
    const hashes = table.digest();
    send(this.#context, peer, { type: "digest", hashes });
  }

  onDigest(from: Peer, theirs: Uint32Array): void {
    const ours = this.#context.table.digest();
    const differing = new Set<number>();
    for (let bucket = 0; bucket < ours.length; bucket++) {
      if (ours[bucket] !== theirs[bucket]) differing.add(bucket);
    }
    if (differing.size === 0) return;
    const ranges = this.#rangesOf(differing);
    // A big difference takes several rounds: each begins elsewhere, so that none is told twice.
    const start = Math.floor(this.#context.random() * ranges.length);
    const inTurn = [...ranges.slice(start), ...ranges.slice(0, start)];
    for (const packet of packed(inTurn, (range) => rangeBytes(range.members.length), MAX_RANGES_BYTES)) {
      send(this.#context, from, { type: "summary", ranges: packet });
    }
  }

  onSummary(from: Peer, ranges: readonly SummaryRange[]): void {
    const { metrics, now } = this.#context;
    const comparison = this.#asked.get(from.id);
    if (!comparison || comparison.until < now) {
      metrics.refused.unsolicited++;
      return;
    }
    const buckets = this.#byBucket(new Set(ranges.map((range) => range.from >>> 24)));
    const missing: GossipItem[] = [];
    this.#doubts = MAX_DOUBTS;
    for (const range of ranges) {
      missing.push(...this.#compare(from, comparison, range, buckets.get(range.from >>> 24) ?? []));
    }
    this.#tell(from, missing);
  }

  onWant(from: Peer, wanted: readonly Wanted[]): void {
    const { table, self, certificates } = this.#context;
    const items: GossipItem[] = [];
    const shown = new Set<SupernodeId>();
    const show = (id: SupernodeId) => {
      const certificate = id === self.id ? self.certificate : certificates.get(id);
      if (certificate && !shown.has(id)) items.push({ kind: "certificate", certificate });
      shown.add(id);
    };
    for (const { supernodeId, certificate } of wanted) {
      const item = supernodeId === self.id ? self.item : table.get(supernodeId)?.item;
      if (certificate) show(supernodeId);
      if (certificate && item) show(item.voucher.value.voucher);
      if (item) items.push(item);
    }
    this.#tell(from, items);
  }

  /** Sends what is wished for. */
  flush(): void {
    for (const peer of this.#wishes.flush()) {
      const comparison = this.#asked.get(peer.id);
      if (comparison) this.#catchUp(comparison.wishesLeft > 0 ? 1 : CATCH_UP_TRIES);
    }
  }

  sweep(): void {
    const { now } = this.#context;
    for (const [id, { until }] of this.#asked) if (until < now) this.#asked.delete(id);
  }

  #periodic(): void {
    const { agenda, now, times } = this.#context;
    agenda.schedule(now + jittered(this.#context, times.syncMs), () => this.#periodic());
    this.#syncWithAny();
  }

  #syncWithAny(): void {
    const [partner] = this.#context.table.sample(1, null);
    if (partner) this.syncWith(partner);
  }

  /** What this round has brought may not be all. The next one asks somebody else: many share in telling a newcomer. */
  #catchUp(tries: number): void {
    this.#triesLeft = Math.max(this.#triesLeft, tries);
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    const { agenda, now, times } = this.#context;
    agenda.schedule(now + times.catchUpMs, () => {
      this.#isCatchingUp = false;
      this.#syncWithAny();
      if (--this.#triesLeft > 0) this.#catchUp(this.#triesLeft);
    });
  }

  #compare(from: Peer, comparison: Comparison, range: SummaryRange, ours: readonly Known[]): GossipItem[] {
    const { table, self, certificates } = this.#context;
    const listed = new Set<SupernodeId>();
    const missing: GossipItem[] = [];
    for (const { supernodeId, incarnation } of range.members) {
      listed.add(supernodeId);
      const peer = table.get(supernodeId);
      const known = supernodeId === self.id ? self.announcement.value : peer?.announcement.value;
      if (!known || (!peer?.voucher && supernodeId !== self.id) || known.incarnation < incarnation) {
        if (comparison.wishesLeft-- > 0) this.#wishes.ask(from, supernodeId, !certificates.get(supernodeId));
      } else if (known.incarnation > incarnation) {
        const item = supernodeId === self.id ? self.item : peer?.item;
        if (item) missing.push(item);
      } else if (peer && !peer.isLive) {
        this.#outcomes.onSignOfLife(peer);
      }
    }
    for (const { id, item } of ours) {
      const prefix = prefixOf(id);
      if (!item || prefix < range.from || prefix > range.to || listed.has(id)) continue;
      missing.push(item);
      const peer = table.get(id);
      if (peer && this.#doubts-- > 0) this.#outcomes.onDisputed(peer);
    }
    return missing;
  }

  /** The live members, this one included, whose IDs begin with one of these bytes. */
  #byBucket(buckets: ReadonlySet<number>): Map<number, Known[]> {
    const { table, self } = this.#context;
    const known = new Map<number, Known[]>([...buckets].map((bucket) => [bucket, []]));
    if (self.item) known.get(bucketOf(self.id))?.push(self);
    for (const peer of table.live) known.get(peer.bucket)?.push(peer);
    return known;
  }

  #rangesOf(buckets: ReadonlySet<number>): SummaryRange[] {
    return [...this.#byBucket(buckets)].flatMap(([bucket, known]) =>
      splitRange(
        bucket,
        known.map(({ id, announcement }) => ({ supernodeId: id, incarnation: announcement.value.incarnation })),
      ),
    );
  }

  #tell(to: Peer, items: readonly GossipItem[]): void {
    for (const packet of packed(items, itemBytes, MAX_ITEMS_BYTES)) {
      send(this.#context, to, { type: "gossip", items: packet });
    }
  }
}

/** One bucket as ranges that each fit a packet, without a gap between them. */
function splitRange(bucket: number, members: SummaryEntry[]): SummaryRange[] {
  const first = bucket * 2 ** 24;
  const last = first + 2 ** 24 - 1;
  if (members.length <= MAX_RANGE_MEMBERS) return [{ from: first, to: last, members }];
  const sorted = members.sort((a, b) => prefixOf(a.supernodeId) - prefixOf(b.supernodeId));
  const ranges: SummaryRange[] = [];
  let from = first;
  for (let index = 0; index < sorted.length; index += MAX_RANGE_MEMBERS) {
    const chunk = sorted.slice(index, index + MAX_RANGE_MEMBERS);
    const next = sorted[index + MAX_RANGE_MEMBERS];
    const to = next ? prefixOf(next.supernodeId) - 1 : last;
    // Two IDs with the same 32 bits at a border: then the range is not told, rather than told wrongly.
    if (to >= prefixOf((chunk.at(-1) as SummaryEntry).supernodeId)) ranges.push({ from, to, members: chunk });
    from = to + 1;
  }
  return ranges;
}

/** Into as few packets as come out in this order, and not more than one comparison may cost. */
function packed<T>(parts: readonly T[], size: (part: T) => number, room: number): T[][] {
  const packets: T[][] = [];
  let left = 0;
  for (const part of parts) {
    const bytes = size(part);
    if (bytes > left || (packets.at(-1)?.length ?? 0) >= 255) {
      if (packets.length === GOSSIP_LIMITS.syncPackets) break;
      packets.push([]);
      left = room;
    }
    packets.at(-1)?.push(part);
    left -= bytes;
  }
  return packets;
}
