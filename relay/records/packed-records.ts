/**
 * The record store for a big share: packed cells outside the garbage-collected heap, an
 * index of five bytes a slot, and no step that takes longer than a few milliseconds, so
 * that a supernode with millions of records answers as evenly as an empty one.
 */
import { type DeviceId, INBOX_BYTES, type InboxId, USER_ID_BYTES, type UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { HomeTable } from "./home-table.ts";
import * as layout from "./record-layout.ts";
import {
  type DirectoryRecord,
  forgottenAt,
  type PutOutcome,
  plausibleSighting,
  type RecordStore,
  type Sighting,
} from "./record-store.ts";
import { type Cell, SlabArena } from "./slab-arena.ts";
import { UserIndex } from "./user-index.ts";

export interface PackedRecordsOptions {
  /** Two random 32-bit words: without them nobody can aim user IDs at one place of the index. */
  readonly indexSecret: readonly [number, number];
}

/** One record as a walk sees it, read when asked for: valid only during the visit. */
export interface RecordView {
  readonly userId: Buffer;
  readonly deviceId: Buffer;
  readonly sequence: number;
  readonly lastSeenAt: number;
  readonly gone: boolean;
  record(): DirectoryRecord;
}

/** Where an interrupted walk goes on. */
export interface WalkCursor {
  readonly slab: number;
}

export const WALK_START: WalkCursor = { slab: 0 };

export class PackedRecords implements RecordStore {
  readonly #arena = new SlabArena();
  readonly #homes = new HomeTable();
  readonly #index: UserIndex;
  readonly #secret: readonly [number, number];
  readonly #wantedHash: layout.MutableHash = { place: 0, tag: 0 };
  readonly #cellHash: layout.MutableHash = { place: 0, tag: 0 };
  readonly #wantedUser = Buffer.alloc(USER_ID_BYTES);
  readonly #wantedInbox = Buffer.alloc(INBOX_BYTES);
  #prefix: Buffer | null = null;
  #expirySlab = 0;

  constructor(options: PackedRecordsOptions) {
    this.#secret = options.indexSecret;
    this.#index = new UserIndex((cell) => {
      const offset = this.#arena.offsetOf(cell) + layout.CELL_USER;
      layout.hashUser(this.#arena.memoryOf(cell), offset, this.#secret, this.#cellHash);
      return this.#cellHash;
    });
  }

  get size(): number {
    return this.#index.size;
  }

  /** Bytes outside the heap: slabs and index. */
  get allocatedBytes(): number {
    return this.#arena.allocatedBytes + this.#index.allocatedBytes;
  }

  put(lease: Signed<Lease>, sighting: Sighting | null, now: number): PutOutcome {
    const prefix = layout.leasePrefix(lease.bytes);
    this.#prefix ??= prefix;
    if (!prefix.equals(this.#prefix)) throw new RangeError("a lease of another network or format");

    const seen = plausibleSighting(lease.value, sighting, now);
    if (forgottenAt(lease.value, seen) <= now) return "expired";

    const cells = this.#cellsOf(lease.value.userId);
    const deviceId = Buffer.from(lease.value.deviceId, "hex");
    const mine = cells.find((cell) => layout.deviceIdAt(...this.#place(cell)).equals(deviceId));
    if (mine !== undefined) {
      const sequence = layout.readSequence(...this.#place(mine));
      if (sequence === lease.value.sequence) return "known";
      if (sequence > lease.value.sequence) return "outdated";
      this.#overwrite(mine, lease.bytes, seen);
      return "stored";
    }
    if (cells.length >= LIMITS.maxDevicesPerAccount) {
      const oldest = cells.reduce((a, b) => (this.#issuedAt(a) <= this.#issuedAt(b) ? a : b));
      if (this.#issuedAt(oldest) >= lease.value.issuedAt) return "too-many-devices";
      this.#remove(oldest);
    }
    this.#insert(lease.bytes, seen);
    return "stored";
  }

  find(userId: UserId, now: number): DirectoryRecord[] {
    const records: DirectoryRecord[] = [];
    for (const cell of this.#cellsOf(userId)) {
      if (this.#forgottenAt(cell) > now) records.push(this.#record(cell));
    }
    return records;
  }

  markGone(userId: UserId, deviceId: DeviceId, inbox: InboxId, lastSeenAt: number): boolean {
    const device = Buffer.from(deviceId, "hex");
    this.#wantedInbox.write(inbox, "hex");
    for (const cell of this.#cellsOf(userId)) {
      const [memory, offset] = this.#place(cell);
      if (!layout.deviceIdAt(memory, offset).equals(device)) continue;
      if (!layout.inboxAt(memory, offset).equals(this.#wantedInbox) || layout.readGone(memory, offset)) return false;
      const issuedAt = layout.readIssuedAt(memory, offset);
      const latest = issuedAt + layout.readValidityMs(memory, offset);
      layout.writeSighting(memory, offset, Math.min(Math.max(lastSeenAt, issuedAt), latest), true);
      return true;
    }
    return false;
  }

  /** Forgets a user's record of one device, because another supernode holds it now. */
  drop(userId: UserId, deviceId: DeviceId): boolean {
    const device = Buffer.from(deviceId, "hex");
    const cell = this.#cellsOf(userId).find((each) => layout.deviceIdAt(...this.#place(each)).equals(device));
    if (cell === undefined) return false;
    this.#remove(cell);
    return true;
  }

  /**
   * Removes what is to be forgotten from the next slab (about 2,000 records, under a millisecond).
   * Call it often enough to come round in minutes; until then `find` hides such records.
   * @returns how many were removed
   */
  expireSome(now: number): number {
    const slabs = this.#arena.slabCount;
    if (slabs === 0) return 0;
    this.#expirySlab = (this.#expirySlab + 1) % slabs;
    const stale = this.#arena.usedCells(this.#expirySlab).filter((cell) => this.#forgottenAt(cell) <= now);
    for (const cell of stale) this.#remove(cell);
    return stale.length;
  }

  /**
   * Visits the records of one slab and says where to go on, null at the end. Records that
   * move meanwhile may be visited twice or not at all: a walk is for work that is repeated.
   */
  walk(cursor: WalkCursor, now: number, visit: (view: RecordView) => void): WalkCursor | null {
    if (cursor.slab >= this.#arena.slabCount) return null;
    for (const cell of this.#arena.usedCells(cursor.slab)) {
      const [memory, offset] = this.#place(cell);
      if (this.#forgottenAt(cell) <= now) continue;
      visit({
        userId: layout.userIdAt(memory, offset),
        deviceId: layout.deviceIdAt(memory, offset),
        sequence: layout.readSequence(memory, offset),
        lastSeenAt: layout.readLastSeen(memory, offset),
        gone: layout.readGone(memory, offset),
        record: () => this.#record(cell),
      });
    }
    return { slab: cursor.slab + 1 };
  }

  #cellsOf(userId: UserId): Cell[] {
    this.#wantedUser.write(userId, "hex");
    layout.hashUser(this.#wantedUser, 0, this.#secret, this.#wantedHash);
    const cells: Cell[] = [];
    this.#index.find(this.#wantedHash, (cell) => {
      if (layout.holdsUser(this.#arena.memoryOf(cell), this.#arena.offsetOf(cell), this.#wantedUser)) cells.push(cell);
      return cells.length === LIMITS.maxDevicesPerAccount;
    });
    return cells;
  }

  #place(cell: Cell): [Buffer, number] {
    return [this.#arena.memoryOf(cell), this.#arena.offsetOf(cell)];
  }

  #record(cell: Cell): DirectoryRecord {
    const [memory, offset] = this.#place(cell);
    if (!this.#prefix) throw new RangeError("no record was ever put");
    return {
      lease: layout.readLease(memory, offset, this.#prefix, this.#homes.idOf(layout.readHomeNumber(memory, offset))),
      lastSeenAt: layout.readLastSeen(memory, offset),
      gone: layout.readGone(memory, offset),
    };
  }

  #issuedAt(cell: Cell): number {
    return layout.readIssuedAt(...this.#place(cell));
  }

  #forgottenAt(cell: Cell): number {
    const [memory, offset] = this.#place(cell);
    const lease = {
      issuedAt: layout.readIssuedAt(memory, offset),
      validityMs: layout.readValidityMs(memory, offset),
    };
    return forgottenAt(lease, {
      lastSeenAt: layout.readLastSeen(memory, offset),
      gone: layout.readGone(memory, offset),
    });
  }

  #insert(lease: Uint8Array, seen: Sighting): void {
    const cell = this.#arena.allocate(layout.cellBytes(lease));
    const [memory, offset] = this.#place(cell);
    layout.writeLease(memory, offset, lease, this.#homes.acquire(layout.homeIn(lease)));
    layout.writeSighting(memory, offset, seen.lastSeenAt, seen.gone);
    layout.hashUser(memory, offset + layout.CELL_USER, this.#secret, this.#wantedHash);
    this.#index.add(this.#wantedHash, cell);
  }

  #overwrite(cell: Cell, lease: Uint8Array, seen: Sighting): void {
    if (!this.#arena.fits(cell, layout.cellBytes(lease))) {
      this.#remove(cell);
      this.#insert(lease, seen);
      return;
    }
    const [memory, offset] = this.#place(cell);
    const formerHome = layout.readHomeNumber(memory, offset);
    layout.writeLease(memory, offset, lease, this.#homes.acquire(layout.homeIn(lease)));
    layout.writeSighting(memory, offset, seen.lastSeenAt, seen.gone);
    this.#homes.release(formerHome);
  }

  #remove(cell: Cell): void {
    const [memory, offset] = this.#place(cell);
    layout.hashUser(memory, offset + layout.CELL_USER, this.#secret, this.#wantedHash);
    this.#index.remove(this.#wantedHash, cell);
    this.#homes.release(layout.readHomeNumber(memory, offset));
    this.#arena.free(cell);
  }
}
