/**
 * The record store for a big share: packed cells outside the garbage-collected heap, an
 * index of eight bytes a slot, and no step that takes longer than a few milliseconds, so
 * that a supernode with millions of records answers as evenly as an empty one.
 */
import { readHex } from "../../protocol/bytes.ts";
import { DEVICE_ID_BYTES, type DeviceId, USER_ID_BYTES, type UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { LeaseCopies } from "./lease-copies.ts";
import { PackedLease } from "./packed-lease.ts";
import * as layout from "./record-layout.ts";
import type { GoneNotice, LeaseRecord, PutResult, RecordStore } from "./record-store.ts";
import { firstSighting, forgottenAt, plausibleSighting, type Sighting } from "./sighting.ts";
import { type Cell, SlabArena, type SlabOptions } from "./slab-arena.ts";
import { UserIndex } from "./user-index.ts";

/** Two random 32-bit words: without them nobody can aim user IDs at one place of the index. */
export type IndexSecret = readonly [number, number];

/** What `expire` sweeps in one call, in milliseconds. */
const EXPIRE_CELLS = 16_000;

/** Where a walk goes on. */
export interface WalkCursor {
  readonly slab: number;
  readonly cell: number;
}

export const WALK_START: WalkCursor = { slab: 0, cell: 0 };

/** One record during a walk, good until the visit returns. */
export interface RecordView {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly sequence: number;
  readonly sighting: Sighting;
  /** Makes a copy that lasts. */
  record(): LeaseRecord;
}

export interface PackedRecordsOptions extends SlabOptions {
  /** Of the index: fewer for a store that stays small. */
  readonly segmentBits?: number;
}

export class PackedRecords implements RecordStore {
  #arena: SlabArena;
  #index: UserIndex;
  readonly #secret: IndexSecret;
  readonly #options: PackedRecordsOptions;
  readonly #copies = new LeaseCopies();
  readonly #wantedUser = new Uint8Array(USER_ID_BYTES);
  readonly #wantedWords = new Int32Array(this.#wantedUser.buffer);
  readonly #wantedDevice = Buffer.alloc(DEVICE_ID_BYTES);
  readonly #holdsWantedUser = (cell: Cell) => layout.holdsUser(this.#words(cell), this.#word(cell), this.#wantedWords);
  #prefix: Buffer | null = null;
  #expiry: WalkCursor = WALK_START;

  constructor(secret: IndexSecret, options: PackedRecordsOptions = {}) {
    this.#secret = secret;
    this.#options = options;
    this.#arena = new SlabArena(options);
    this.#index = new UserIndex(options.segmentBits);
  }

  get size(): number {
    return this.#index.size;
  }

  /** Bytes outside the heap: slabs and index. */
  get allocatedBytes(): number {
    return this.#arena.allocatedBytes + this.#index.allocatedBytes;
  }

  put(lease: Signed<Lease>, now: number): PutResult {
    return this.adopt(lease, firstSighting(lease.value), now);
  }

  /**
   * Puts a lease, checked, with what another holder says of it. A lease that is here already keeps its
   * own sighting: only its home may change that.
   */
  adopt(lease: Signed<Lease>, claim: Sighting, now: number): PutResult {
    return this.restore(lease.bytes, claim, now);
  }

  /** As `adopt`, for a lease that was checked in an earlier life. */
  restore(lease: Uint8Array, claim: Sighting, now: number): PutResult {
    this.#requirePrefix(lease);
    const times = layout.timesIn(lease);
    const sighting = plausibleSighting(times, claim, now);
    if (forgottenAt(times, sighting) <= now) return "stale";

    const { user, device } = layout.ownerIn(lease);
    this.#wantedUser.set(user);
    this.#wantedDevice.set(device);
    const cells = this.#wantedCells();
    const present = this.#wantedCell(cells);
    if (present !== null) {
      const sequence = layout.sequenceIn(lease);
      const presentSequence = layout.readSequence(this.#words(present), this.#word(present));
      if (sequence <= presentSequence) return sequence === presentSequence ? "known" : "stale";
      this.#overwrite(present, lease, sighting);
      return "stored";
    }
    if (cells.length >= LIMITS.maxDevicesPerAccount) {
      const leastRecent = cells.reduce((a, b) => (this.#lastSeenAt(a) <= this.#lastSeenAt(b) ? a : b));
      if (this.#lastSeenAt(leastRecent) >= times.issuedAt) return "stale";
      this.#remove(leastRecent);
    }
    this.#insert(lease, sighting);
    return "stored";
  }

  find(userId: UserId, now: number): LeaseRecord[] {
    const records: LeaseRecord[] = [];
    for (const cell of this.#cellsOf(userId)) {
      if (this.#forgottenAt(cell) > now) records.push(this.#record(cell));
    }
    return records;
  }

  /** The record of one device. */
  record(userId: UserId, deviceId: DeviceId, now: number): LeaseRecord | null {
    const cell = this.#cellOf(userId, deviceId);
    return cell !== null && this.#forgottenAt(cell) > now ? this.#record(cell) : null;
  }

  /** Of the lease of one device; null if there is none. */
  sequenceOf(userId: UserId, deviceId: DeviceId): number | null {
    const cell = this.#cellOf(userId, deviceId);
    return cell === null ? null : layout.readSequence(this.#words(cell), this.#word(cell));
  }

  markGone(notice: GoneNotice, now: number): boolean {
    const cell = this.#cellOf(notice.userId, notice.deviceId);
    if (cell === null) return false;
    const memory = this.#memory(cell);
    const offset = this.#offset(cell);
    if (layout.readGone(this.#words(cell), this.#word(cell))) return false;
    if (layout.homeAt(memory, offset) !== notice.home || layout.inboxAt(memory, offset) !== notice.inbox) return false;
    const claim = { lastSeenAt: notice.lastSeenAt, gone: true };
    const times = layout.readTimes(this.#words(cell), this.#word(cell));
    layout.writeSighting(memory, offset, plausibleSighting(times, claim, now));
    return true;
  }

  /** Forgets one record, because other supernodes hold it now. */
  drop(userId: UserId, deviceId: DeviceId): boolean {
    const cell = this.#cellOf(userId, deviceId);
    if (cell !== null) this.#remove(cell);
    return cell !== null;
  }

  /** Sweeps a part of the store; `find` and walks pass over what it has not come to yet. */
  expire(now: number): number {
    let removed = 0;
    for (let left = EXPIRE_CELLS; left > 0; ) {
      const { slab, cell } = this.#expiry;
      const { cells, next } = this.#arena.usedCells(slab, cell, left);
      for (const used of cells) {
        if (this.#forgottenAt(used) > now) continue;
        this.#remove(used);
        removed++;
      }
      left -= cells.length;
      this.#expiry = next === null ? { slab: slab + 1, cell: 0 } : { slab, cell: next };
      if (this.#expiry.slab < this.#arena.slabCount) continue;
      this.#expiry = WALK_START;
      break;
    }
    return removed;
  }

  *userIds(): Generator<UserId> {
    for (let slab = 0; slab < this.#arena.slabCount; slab++) {
      for (const cell of this.#arena.usedCells(slab, 0, Number.POSITIVE_INFINITY).cells) {
        if (!this.#arena.isUsed(cell)) continue;
        const userId = layout.userIdAt(this.#memory(cell), this.#offset(cell));
        if (this.#cellsOf(userId)[0] === cell) yield userId;
      }
    }
  }

  /**
   * Visits at most `max` records, and says where to go on; null at the end. A walk that is spread over
   * time sees every record that stays where it is; one that moves meanwhile may be seen twice or not: walk again.
   */
  walk(cursor: WalkCursor, max: number, now: number, visit: (view: RecordView) => void): WalkCursor | null {
    if (cursor.slab >= this.#arena.slabCount) return null;
    const { cells, next } = this.#arena.usedCells(cursor.slab, cursor.cell, max);
    for (const cell of cells) {
      // The visitor may drop records.
      if (this.#arena.isUsed(cell) && this.#forgottenAt(cell) > now) visit(this.#view(cell));
    }
    return next === null ? { slab: cursor.slab + 1, cell: 0 } : { slab: cursor.slab, cell: next };
  }

  close(): void {
    this.#arena = new SlabArena(this.#options);
    this.#index = new UserIndex(this.#options.segmentBits);
  }

  #requirePrefix(lease: Uint8Array): void {
    if (!this.#prefix) this.#prefix = layout.leasePrefix(lease);
    else if (!layout.hasPrefix(lease, this.#prefix)) throw new RangeError("a lease of another network or format");
  }

  #cellsOf(userId: UserId): Cell[] {
    readHex(userId, this.#wantedUser);
    return this.#wantedCells();
  }

  #cellOf(userId: UserId, deviceId: DeviceId): Cell | null {
    readHex(deviceId, this.#wantedDevice);
    return this.#wantedCell(this.#cellsOf(userId));
  }

  #wantedCells(): Cell[] {
    return this.#index.find(layout.hashUser(this.#wantedWords, 0, this.#secret), this.#holdsWantedUser);
  }

  #wantedCell(cells: readonly Cell[]): Cell | null {
    const device = this.#wantedDevice;
    return cells.find((cell) => layout.holdsDevice(this.#memory(cell), this.#offset(cell), device)) ?? null;
  }

  #record(cell: Cell): LeaseRecord {
    if (!this.#prefix) throw new RangeError("no record was ever put");
    const words = this.#words(cell);
    const word = this.#word(cell);
    return {
      lease: new PackedLease(layout.readLease(words, word, this.#prefix, this.#copies)),
      lastSeenAt: layout.readLastSeen(words, word),
      gone: layout.readGone(words, word),
    };
  }

  #view(cell: Cell): RecordView {
    const memory = this.#memory(cell);
    const offset = this.#offset(cell);
    const words = this.#words(cell);
    const word = this.#word(cell);
    return {
      userId: layout.userIdAt(memory, offset),
      deviceId: layout.deviceIdAt(memory, offset),
      sequence: layout.readSequence(words, word),
      sighting: { lastSeenAt: layout.readLastSeen(words, word), gone: layout.readGone(words, word) },
      record: () => this.#record(cell),
    };
  }

  #insert(lease: Uint8Array, sighting: Sighting): void {
    const cell = this.#arena.allocate(layout.cellBytes(lease));
    layout.writeLease(this.#memory(cell), this.#offset(cell), lease);
    layout.writeSighting(this.#memory(cell), this.#offset(cell), sighting);
    this.#index.add(this.#hashOf(cell), cell);
  }

  #overwrite(cell: Cell, lease: Uint8Array, sighting: Sighting): void {
    if (!this.#arena.fits(cell, layout.cellBytes(lease))) {
      this.#remove(cell);
      this.#insert(lease, sighting);
      return;
    }
    layout.writeLease(this.#memory(cell), this.#offset(cell), lease);
    layout.writeSighting(this.#memory(cell), this.#offset(cell), sighting);
  }

  #remove(cell: Cell): void {
    this.#index.remove(this.#hashOf(cell), cell);
    this.#arena.free(cell);
  }

  #hashOf(cell: Cell): number {
    return layout.hashCell(this.#words(cell), this.#word(cell), this.#secret);
  }

  #lastSeenAt(cell: Cell): number {
    return layout.readLastSeen(this.#words(cell), this.#word(cell));
  }

  #forgottenAt(cell: Cell): number {
    return layout.readForgottenAt(this.#words(cell), this.#word(cell));
  }

  #memory(cell: Cell): Buffer {
    return this.#arena.memoryOf(cell);
  }

  #offset(cell: Cell): number {
    return this.#arena.offsetOf(cell);
  }

  /** The same memory as words, and where the cell begins in it. */
  #words(cell: Cell): Int32Array {
    return this.#arena.wordsOf(cell);
  }

  #word(cell: Cell): number {
    return this.#arena.wordOffsetOf(cell);
  }
}
