/**
 * How much memory a packed record takes all in, how fast records are put and found, and
 * the longest stop of the process: at record counts given, with leases of real size. Part
 * of `npm run bench -- directory`, in a process of its own: `directory-records COUNT …`.
 */
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DeviceId, InboxId, NetworkId, SupernodeId, UserId } from "../protocol/identifiers.ts";
import { encodeLease, type Lease } from "../protocol/lease.ts";
import { TIMES } from "../protocol/limits.ts";
import type { Signed } from "../protocol/signed.ts";
import { hugePageAdvice } from "../relay/records/huge-pages.ts";
import { PackedRecords, WALK_START, type WalkCursor } from "../relay/records/packed-records.ts";
import type { SlabOptions } from "../relay/records/slab-arena.ts";

/** A sealed body as clients send it: nonce, tag and a few bytes of capabilities. */
const SEALED_BODY_BYTES = 48;
const HOMES = 2_000;
/** Made before the clock runs, and few, so that it is the store's garbage that is collected and not the benchmark's. */
const BATCH = 2_000;
const LOOK_UPS = 500_000;
const MISSES = 100_000;
const SAY_EVERY = 2_000_000;
const WALK_STEP = 1_000;
/** Users from here on are never put. */
const BEYOND = 0x40000000;

export interface RecordStoreFigures {
  readonly store: "packed" | "map";
  readonly records: number;
  readonly leaseBytes: number;
  /** All in: slabs, index and heap, after a collection. */
  readonly bytesPerRecord: number;
  /** What the process has grown by, its garbage included. */
  readonly rssBytesPerRecord: number;
  readonly rssGiB: number;
  readonly putsPerSecond: number;
  readonly lookupsPerSecond: number;
  readonly missesPerSecond: number;
  /** The longest that one request would have waited for another: 64 puts or look-ups in a row, one step of a walk or of expiry. CPU time. */
  readonly longestPauseMs: number;
}

/** Leases with random-looking fields; the signature is not real, since the store takes what was checked before. */
function leaseMaker(now: number): (index: number) => Signed<Lease> {
  const random = xorshift(0x5eed);
  const bytes = (length: number) => Uint8Array.from({ length }, () => random() & 0xff);
  const hex = (length: number) => Buffer.from(bytes(length)).toString("hex");
  const homes = Array.from({ length: HOMES }, () => SupernodeId.parse(hex(20)));
  const template: Lease = {
    networkId: NetworkId.parse(hex(20)),
    userId: UserId.parse(hex(20)),
    signKey: bytes(32),
    deviceId: DeviceId.parse(hex(16)),
    home: homes[0] as SupernodeId,
    inbox: InboxId.parse(hex(16)),
    sequence: now,
    issuedAt: now,
    validityMs: TIMES.leaseValidityMs,
    sealedBody: bytes(SEALED_BODY_BYTES),
  };
  const encoded = Buffer.concat([encodeLease(template), bytes(64)]);
  return (index) => {
    const userId = userIdAt(index);
    const home = homes[index % HOMES] as SupernodeId;
    const leaseBytes = Buffer.from(encoded);
    leaseBytes.write(userId, 22, "hex");
    leaseBytes.writeUInt32BE(index, 42);
    leaseBytes.write(home, 90, "hex");
    leaseBytes.writeUInt32BE(index, 110);
    const body = leaseBytes.subarray(0, leaseBytes.length - 64);
    return { value: { ...template, userId, home }, body, signature: leaseBytes.subarray(-64), bytes: leaseBytes };
  };
}

function userIdAt(index: number): UserId {
  const id = Buffer.alloc(20);
  const random = xorshift(index * 2 + 1);
  for (let offset = 0; offset < 20; offset += 4) id.writeUInt32BE(random() >>> 0, offset);
  return id.toString("hex") as UserId;
}

/** Marsaglia, "Xorshift RNGs", 2003; seeded through a mixer so that neighbours differ. */
function xorshift(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}

/**
 * `directory-records COUNT …` measures one packed store at each of these sizes, smallest
 * first; `directory-records map COUNT` a Map of objects. One line of JSON each, on stdout.
 */
export async function runRecordStore(args: readonly string[]): Promise<void> {
  const isMap = args[0] === "map";
  const counts = (isMap ? args.slice(1) : args).map(Number);
  const adviseHuge = await hugePageAdvice();
  const bench = new StoreBench(isMap ? mapOfObjects : (now) => packedStore(now, adviseHuge));
  for (const count of counts) console.log(JSON.stringify(bench.measureAt(count)));
}

interface StoreSubject {
  readonly store: RecordStoreFigures["store"];
  put(lease: Signed<Lease>): void;
  /** @returns how many records */
  find(userId: UserId): number;
  /** What else it does in earnest, step by step. */
  chores(): Generator<() => void>;
}

function packedStore(now: number, adviseHuge: SlabOptions["adviseHuge"]): StoreSubject {
  const records = new PackedRecords([0x1234567, 0x89abcde], { adviseHuge });
  return {
    store: "packed",
    put: (lease) => records.put(lease, now),
    find: (userId) => records.find(userId, now).length,
    *chores() {
      // A walk over all of it, as a snapshot takes it.
      for (let cursor: WalkCursor | null = WALK_START; cursor; ) {
        const from: WalkCursor = cursor;
        yield () => {
          cursor = records.walk(from, WALK_STEP, now, () => {});
        };
      }
      for (let times = 0; times < 100; times++) yield () => records.expire(now);
    },
  };
}

/** What one would write first: an object for each record, in a Map. It ends at 16.7 million entries. */
function mapOfObjects(now: number): StoreSubject {
  const records = new Map<UserId, { lease: Signed<Lease>; gone: boolean; lastSeenAt: number }>();
  return {
    store: "map",
    put({ value, bytes }) {
      const own = Uint8Array.from(bytes);
      const lease = { value: { ...value }, bytes: own, body: own.subarray(0, -64), signature: own.subarray(-64) };
      records.set(value.userId, { lease, gone: false, lastSeenAt: now });
    },
    find: (userId) => (records.has(userId) ? 1 : 0),
    *chores() {},
  };
}

interface Rate {
  items: number;
  /** CPU time. */
  spentMs: number;
}

function perSecond({ items, spentMs }: Rate): number {
  return Math.round((items / spentMs) * 1_000);
}

/** One store that is filled further and further. */
class StoreBench {
  readonly #subject: StoreSubject;
  readonly #makeLease: ReturnType<typeof leaseMaker>;
  readonly #usedBefore: number;
  readonly #rssBefore: number;
  #longestPauseMs = 0;
  #filled = 0;
  #isForRate = false;

  constructor(makeSubject: (now: number) => StoreSubject) {
    const now = Date.now();
    this.#makeLease = leaseMaker(now);
    this.#usedBefore = usedBytes();
    this.#rssBefore = process.memoryUsage.rss();
    this.#subject = makeSubject(now);
  }

  measureAt(count: number): RecordStoreFigures {
    const subject = this.#subject;
    this.#longestPauseMs = 0;
    const puts: Rate = { items: 0, spentMs: 0 };
    while (this.#filled < count) {
      const leases = Array.from({ length: BATCH }, (_, index) => this.#makeLease(this.#filled + index));
      this.#measure(leases, (lease) => subject.put(lease), puts);
      this.#filled += BATCH;
      if (this.#filled % SAY_EVERY === 0) say(`${this.#filled.toLocaleString("en")} records put`);
    }
    const used = usedBytes() - this.#usedBefore;
    const rss = process.memoryUsage.rss();
    const lookUps = this.#lookUp(LOOK_UPS, count, 0);
    const misses = this.#lookUp(MISSES, count, BEYOND);
    for (const chore of subject.chores()) this.#watchPauses([chore], (run) => run());
    return {
      store: subject.store,
      records: count,
      leaseBytes: this.#makeLease(0).bytes.length,
      bytesPerRecord: Math.round(used / count),
      rssBytesPerRecord: Math.round((rss - this.#rssBefore) / count),
      rssGiB: Number((rss / 2 ** 30).toFixed(2)),
      putsPerSecond: perSecond(puts),
      lookupsPerSecond: perSecond(lookUps),
      missesPerSecond: perSecond(misses),
      longestPauseMs: Number(this.#longestPauseMs.toFixed(1)),
    };
  }

  #lookUp(times: number, count: number, beyond: number): Rate {
    const random = xorshift(count + beyond);
    const rate: Rate = { items: 0, spentMs: 0 };
    let found = 0;
    for (let done = 0; done < times; done += BATCH) {
      const userIds = Array.from({ length: BATCH }, () => userIdAt(beyond + ((random() >>> 0) % count)));
      const find = (userId: UserId) => {
        found += this.#subject.find(userId);
      };
      this.#measure(userIds, find, rate);
    }
    const due = beyond === 0 ? times : 0;
    if (found !== due) throw new Error(`found ${found} instead of ${due}`);
    return rate;
  }

  /** Every other batch for the rate, and those between for the pauses: reading the clock would cost more than a look-up. */
  #measure<T>(items: readonly T[], each: (item: T) => void, rate: Rate): void {
    this.#isForRate = !this.#isForRate;
    if (!this.#isForRate) {
      this.#watchPauses(items, each);
      return;
    }
    const startedCpu = process.cpuUsage();
    for (const item of items) each(item);
    const { user, system } = process.cpuUsage(startedCpu);
    rate.spentMs += (user + system) / 1_000;
    rate.items += items.length;
  }

  /** Nobody else has their turn during 64 of them. In CPU time: other processes do not count, our own collector does. */
  #watchPauses<T>(items: readonly T[], each: (item: T) => void): void {
    for (let from = 0; from < items.length; from += 64) {
      const startedAt = performance.now();
      const startedCpu = process.cpuUsage();
      for (let at = from; at < from + 64 && at < items.length; at++) each(items[at] as T);
      const { user, system } = process.cpuUsage(startedCpu);
      const tookMs = Math.min((user + system) / 1_000, performance.now() - startedAt);
      this.#longestPauseMs = Math.max(this.#longestPauseMs, tookMs);
    }
  }
}

/** In the heap and outside, after a collection. */
function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

function say(what: string): void {
  process.stderr.write(`        ${what}\n`);
}
