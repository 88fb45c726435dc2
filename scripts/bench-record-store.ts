/**
 * How much memory a packed record takes all in, how fast records are put and found, and
 * the longest stop of the process: at record counts given, with leases of real size.
 * Part of `npm run bench -- directory`.
 */
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DeviceId, InboxId, NetworkId, SupernodeId, UserId } from "../protocol/identifiers.ts";
import { encodeLease, type Lease, trustLease } from "../protocol/lease.ts";
import { TIMES } from "../protocol/limits.ts";
import { networkIdOf, nodeSignatures, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";
import { type Signed, signBody } from "../protocol/signed.ts";
import { PackedRecords } from "../relay/records/packed-records.ts";

/** A sealed body as clients send it: nonce, tag and a few bytes of capabilities. */
const SEALED_BODY_BYTES = 48;
const HOMES = 2_000;
const BATCH = 10_000;

export interface RecordStoreFigures {
  readonly records: number;
  readonly leaseBytes: number;
  /** All in: slabs, index, and what the heap has grown by. */
  readonly bytesPerRecord: number;
  readonly rssGiB: number;
  readonly putsPerSecond: number;
  readonly lookupsPerSecond: number;
  readonly missesPerSecond: number;
  /** The longest stop that 64 operations in a row, or one step of a walk and of expiry, made of its own doing: time on the CPU. */
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

/** Fills one store to each count in turn and measures there. */
export function benchRecordStore(counts: readonly number[]): RecordStoreFigures[] {
  const now = Date.now();
  const makeLease = leaseMaker(now);
  collectGarbage();
  const before = process.memoryUsage();
  const store = new PackedRecords([0x1234567, 0x89abcde]);
  const figures: RecordStoreFigures[] = [];
  let longestPauseMs = 0;
  let filled = 0;

  /** CPU time spent, in ms. Other processes of the machine do not count, our own collector does. */
  const timed = <T>(items: readonly T[], each: (item: T) => void): number => {
    let spentMs = 0;
    for (let from = 0; from < items.length; from += 64) {
      const startedAt = performance.now();
      const startedCpu = process.cpuUsage();
      for (let at = from; at < from + 64 && at < items.length; at++) each(items[at] as T);
      const { user, system } = process.cpuUsage(startedCpu);
      const tookMs = Math.min((user + system) / 1_000, performance.now() - startedAt);
      spentMs += tookMs;
      longestPauseMs = Math.max(longestPauseMs, tookMs);
    }
    return spentMs;
  };

  for (const count of counts) {
    longestPauseMs = 0;
    let putMs = 0;
    const put = count - filled;
    for (; filled < count; filled += BATCH) {
      const leases = Array.from({ length: BATCH }, (_, index) => makeLease(filled + index));
      putMs += timed(leases, (lease) => store.put(lease, now));
    }
    collectGarbage();
    const { rss, heapUsed } = process.memoryUsage();
    const heapGrowth = Math.max(0, heapUsed - before.heapUsed);
    let found = 0;
    const findMs = timed(userIds(count, 50, 0), (userId) => {
      found += store.find(userId, now).length;
    });
    if (found !== 50 * BATCH) throw new Error(`found ${found} of ${50 * BATCH}`);
    const missMs = timed(userIds(count, 10, 0x40000000), (userId) => store.find(userId, now));
    for (let slab = 0; slab < store.slabCount; slab += 32) {
      timed([slab], () => {
        store.visitSlab(slab, now, () => {});
        store.expire(now);
      });
    }
    figures.push({
      records: count,
      leaseBytes: makeLease(0).bytes.length,
      bytesPerRecord: Math.round((store.allocatedBytes + heapGrowth) / count),
      rssGiB: Number((rss / 2 ** 30).toFixed(2)),
      putsPerSecond: Math.round((put / putMs) * 1_000),
      lookupsPerSecond: Math.round(((50 * BATCH) / findMs) * 1_000),
      missesPerSecond: Math.round(((10 * BATCH) / missMs) * 1_000),
      longestPauseMs: Number(longestPauseMs.toFixed(1)),
    });
  }
  return figures;
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

function userIds(count: number, batches: number, beyond: number): UserId[] {
  const random = xorshift(count + batches);
  return Array.from({ length: batches * BATCH }, () => userIdAt(beyond + ((random() >>> 0) % count)));
}

/** Leases decoded, their signatures checked, from as many accounts as leases: as a holder meets them. */
export function benchVerify(seconds: number): number {
  const networkId = networkIdOf(new Uint8Array(32));
  const now = Date.now();
  const leases = Array.from({ length: 2_000 }, (_, index) => {
    const { publicKey, secretKey } = signingKeyPair();
    const lease: Lease = {
      networkId,
      userId: userIdOf(publicKey),
      signKey: publicKey,
      deviceId: DeviceId.parse("11".repeat(16)),
      home: SupernodeId.parse("22".repeat(20)),
      inbox: InboxId.parse("33".repeat(16)),
      sequence: index,
      issuedAt: now,
      validityMs: TIMES.leaseValidityMs,
      sealedBody: new Uint8Array(SEALED_BODY_BYTES),
    };
    return signBody(nodeSignatures, "lease", encodeLease(lease), secretKey);
  });
  const start = process.cpuUsage();
  const until = performance.now() + seconds * 1_000;
  let verified = 0;
  while (performance.now() < until) {
    for (let step = 0; step < 100; step++) {
      trustLease(networkId, now, leases[verified % leases.length] as Uint8Array);
      verified++;
    }
  }
  const { user, system } = process.cpuUsage(start);
  return Math.round(verified / ((user + system) / 1_000_000));
}
