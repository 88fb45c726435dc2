/**
 * A packed record store that outlives its process: every change goes to a log within a
 * quarter of a second, and the log is replaced by a snapshot when it has outgrown it.
 * What the last moment before a crash loses, the other holders of the record still have.
 */
import { KithError } from "../../protocol/errors.ts";
import type { DeviceId, NetworkId, UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import type { Signed } from "../../protocol/signed.ts";
import { hugePageAdvice } from "./huge-pages.ts";
import { PackedLease } from "./packed-lease.ts";
import { type IndexSecret, PackedRecords, type RecordView, WALK_START, type WalkCursor } from "./packed-records.ts";
import { type Damage, loadRecordFiles, RecordLog, writeSnapshot } from "./record-files.ts";
import { encodeFrame } from "./record-frame.ts";
import type { GoneNotice, LeaseRecord, PutResult, RecordStore } from "./record-store.ts";
import type { Sighting } from "./sighting.ts";

const FRAMES_PER_BATCH = 1_000;
const FLUSH_MS = 250;
/** To the disk itself: a power cut loses at most this much of the log. */
const SYNC_EVERY_FLUSHES = 20;
const MIN_LOG_BYTES = 8 << 20;
/** After the disk has failed, full or sick. */
const RETRY_MS = 60_000;

export interface DurableRecordsOptions {
  /** For this store alone. */
  readonly folder: string;
  readonly networkId: NetworkId;
  readonly indexSecret: IndexSecret;
  /** ms since 1970. */
  readonly now: () => number;
  /** The disk failed; the store goes on in memory and tries again. */
  readonly onFault: (error: unknown) => void;
}

export class DurableRecords implements RecordStore {
  readonly #options: DurableRecordsOptions;
  readonly #records: PackedRecords;
  #generation: number;
  #log: RecordLog | null = null;
  #pending: Uint8Array[] = [];
  #logBytes = 0;
  #snapshotBytes: number;
  #flushes = 0;
  #timer: NodeJS.Timeout | undefined;
  #snapshot: Promise<void> | null = null;
  #retryAt = 0;
  #isClosed = false;

  /** What a damaged file has lost, for the log of the process. */
  readonly damages: readonly Damage[];

  private constructor(
    options: DurableRecordsOptions,
    records: PackedRecords,
    loaded: { lastGeneration: number; snapshotBytes: number; damages: readonly Damage[] },
  ) {
    this.#options = options;
    this.#records = records;
    this.#generation = loaded.lastGeneration;
    this.#snapshotBytes = loaded.snapshotBytes;
    this.damages = loaded.damages;
    this.#timer = setInterval(() => this.flush(), FLUSH_MS).unref();
  }

  /** @throws KithError `data-newer`, `data-folder-unwritable` */
  static async open(options: DurableRecordsOptions): Promise<DurableRecords> {
    const records = new PackedRecords(options.indexSecret, { adviseHuge: await hugePageAdvice() });
    const loaded = await loadRecordFiles(options.folder, options.networkId, (lease, sighting) => {
      const result = records.restore(lease, sighting, options.now());
      if (result === "known" && sighting.gone) records.markGone(goneNotice(lease, sighting), options.now());
    });
    const store = new DurableRecords(options, records, loaded);
    try {
      store.#beginLog();
    } catch (error) {
      store.close();
      throw new KithError("data-folder-unwritable", { path: options.folder }, { cause: error });
    }
    if (loaded.logs > 0) store.compact();
    return store;
  }

  get size(): number {
    return this.#records.size;
  }

  get allocatedBytes(): number {
    return this.#records.allocatedBytes;
  }

  put(lease: Signed<Lease>, now: number): PutResult {
    const result = this.#records.put(lease, now);
    if (result === "stored") this.#write(lease.value.userId, lease.value.deviceId, now);
    return result;
  }

  /** As PackedRecords.adopt. */
  adopt(lease: Signed<Lease>, claim: Sighting, now: number): PutResult {
    const result = this.#records.adopt(lease, claim, now);
    if (result === "stored") this.#write(lease.value.userId, lease.value.deviceId, now);
    return result;
  }

  markGone(notice: GoneNotice, now: number): boolean {
    const changed = this.#records.markGone(notice, now);
    if (changed) this.#write(notice.userId, notice.deviceId, now);
    return changed;
  }

  find(userId: UserId, now: number): LeaseRecord[] {
    return this.#records.find(userId, now);
  }

  record(userId: UserId, deviceId: DeviceId, now: number): LeaseRecord | null {
    return this.#records.record(userId, deviceId, now);
  }

  /** May come back after a restart, until the next snapshot: whoever dropped it will drop it again. */
  drop(userId: UserId, deviceId: DeviceId): boolean {
    return this.#records.drop(userId, deviceId);
  }

  expire(now: number): number {
    return this.#records.expire(now);
  }

  userIds(): Iterable<UserId> {
    return this.#records.userIds();
  }

  /** As PackedRecords.walk. */
  walk(cursor: WalkCursor, max: number, now: number, visit: (view: RecordView) => void): WalkCursor | null {
    return this.#records.walk(cursor, max, now, visit);
  }

  sequenceOf(userId: UserId, deviceId: DeviceId): number | null {
    return this.#records.sequenceOf(userId, deviceId);
  }

  /** Hands the log to the operating system, from where it survives the end of this process. */
  flush(): void {
    if (!this.#log) {
      if (!this.#isClosed && this.#options.now() >= this.#retryAt) this.compact();
      return;
    }
    if (this.#pending.length === 0) return;
    try {
      this.#logBytes += this.#log.append(this.#pending);
      this.#pending = [];
      this.#flushes++;
      if (this.#flushes % SYNC_EVERY_FLUSHES === 0) this.#log.sync();
      if (this.#logBytes > Math.max(MIN_LOG_BYTES, this.#snapshotBytes)) this.compact();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Writes a snapshot in the background and drops the logs before it. Resolves when done, or when the disk has failed. */
  compact(): Promise<void> {
    this.#snapshot ??= this.#compact().finally(() => {
      this.#snapshot = null;
    });
    return this.#snapshot;
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    clearInterval(this.#timer);
    try {
      this.#log?.sync();
      this.#log?.close();
    } catch (error) {
      this.#options.onFault(error);
    }
    this.#log = null;
    this.#records.close();
  }

  async #compact(): Promise<void> {
    const { folder, networkId } = this.#options;
    try {
      this.#beginLog();
      const written = await writeSnapshot(folder, this.#generation, networkId, this.#frames(), () => this.#isClosed);
      if (written !== null) this.#snapshotBytes = written;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** From here on changes go to a log of the next generation. @throws what the file system says */
  #beginLog(): void {
    // Counted up first: a disk that fills up may leave the name behind.
    this.#generation++;
    const log = new RecordLog(this.#options.folder, this.#generation, this.#options.networkId);
    if (this.#log) {
      this.#log.append(this.#pending);
      this.#log.close();
    }
    this.#pending = [];
    this.#log = log;
    this.#logBytes = 0;
  }

  /** A thousand records at a time, so that nothing else waits longer than these take. */
  *#frames(): Generator<Uint8Array[]> {
    for (let cursor: WalkCursor | null = WALK_START; cursor; ) {
      const frames: Uint8Array[] = [];
      cursor = this.#records.walk(cursor, FRAMES_PER_BATCH, this.#options.now(), (view) => {
        frames.push(encodeFrame(view.record().lease.bytes, view.sighting));
      });
      yield frames;
    }
  }

  #write(userId: UserId, deviceId: DeviceId, now: number): void {
    const record = this.#records.record(userId, deviceId, now);
    if (record && this.#log) this.#pending.push(encodeFrame(record.lease.bytes, record));
  }

  #fail(error: unknown): void {
    this.#retryAt = this.#options.now() + RETRY_MS;
    this.#pending = [];
    try {
      this.#log?.close();
    } catch {
      // The first error is the one to report.
    }
    this.#log = null;
    if (!this.#isClosed) this.#options.onFault(error);
  }
}

function goneNotice(leaseBytes: Uint8Array, sighting: Sighting): GoneNotice {
  const { userId, deviceId, inbox, home } = new PackedLease(leaseBytes).value;
  return { userId, deviceId, inbox, home, lastSeenAt: sighting.lastSeenAt };
}
