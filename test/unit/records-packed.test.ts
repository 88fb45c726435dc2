import { describe, expect, it } from "vitest";
import { TIMES } from "../../protocol/limits.ts";
import { PackedRecords, WALK_START, type WalkCursor } from "../../relay/records/packed-records.ts";
import { SlabArena } from "../../relay/records/slab-arena.ts";
import { UserIndex } from "../../relay/records/user-index.ts";
import { inboxNumber, supernodeNumber, unsignedLeases } from "../support/made-leases.ts";

const START = 1_800_000_000_000;
const FORGOTTEN = START + TIMES.leaseValidityMs + TIMES.leaseMemoryMs;
const leaseOf = unsignedLeases({ issuedAt: START });
const newStore = () => new PackedRecords([1, 2]);

describe("the packed store", () => {
  it("takes at most 300 bytes a record of 260 bytes, index included", () => {
    const store = newStore();
    for (let user = 0; user < 40_000; user++) store.put(leaseOf(user), START);
    expect(leaseOf(0).bytes.length).toBe(260);
    expect(store.allocatedBytes / store.size).toBeLessThan(300);
  });

  it("gives back the memory of what it has forgotten, and finds the rest", () => {
    const store = newStore();
    const lasting = unsignedLeases({ issuedAt: START + 1 });
    for (let user = 0; user < 8_000; user++) store.put((user % 1_000 ? leaseOf : lasting)(user), START + 1);
    const full = store.allocatedBytes;
    let removed = 0;
    for (let round = 0; round < 3; round++) removed += store.expire(FORGOTTEN);
    expect(removed).toBe(7_992);
    expect(store.size).toBe(8);
    const found = Array.from({ length: 8_000 }, (_, user) => store.find(leaseOf(user).value.userId, START + 2).length);
    expect(found).toEqual(found.map((_, user) => (user % 1_000 ? 0 : 1)));
    store.expire(FORGOTTEN + 1);
    expect(store.allocatedBytes).toBeLessThan(full / 2);
  });

  it("moves a record whose size changes, and reuses the place", () => {
    const store = newStore();
    const bodyBytes = (user: number, round: number) => ((user + round * 3) % 17) * 16;
    for (let round = 0; round < 10; round++) {
      const lease = unsignedLeases({ issuedAt: START + round });
      for (let user = 0; user < 100; user++) store.put(lease(user, bodyBytes(user, round)), START + round);
      expect(store.size).toBe(100);
    }
    const last = unsignedLeases({ issuedAt: START + 9 });
    for (let user = 0; user < 100; user++) {
      const expected = last(user, bodyBytes(user, 9));
      const [record] = store.find(expected.value.userId, START + 9);
      expect(Buffer.from(record?.lease.bytes ?? [])).toEqual(Buffer.from(expected.bytes));
      expect(record?.lease.value).toMatchObject({ userId: expected.value.userId, sequence: START + 9 });
    }
  });

  it("visits every record once in a walk, but no record that is forgotten", () => {
    const store = newStore();
    for (let user = 0; user < 5_000; user++) store.put(leaseOf(user), START);
    const seen = new Set<string>();
    let visits = 0;
    for (let cursor: WalkCursor | null = WALK_START; cursor; ) {
      cursor = store.walk(cursor, 333, START, (view) => {
        visits++;
        if (view.sighting.lastSeenAt === START && view.record().lease.value.userId === view.userId)
          seen.add(view.userId);
      });
    }
    expect(visits).toBe(5_000);
    expect(seen.size).toBe(5_000);
    let forgotten = 0;
    for (let cursor: WalkCursor | null = WALK_START; cursor; ) {
      cursor = store.walk(cursor, 1_000, FORGOTTEN, () => forgotten++);
    }
    expect(forgotten).toBe(0);
  });

  it("believes no claim that a device was seen after the end of its lease", () => {
    const store = newStore();
    const lease = leaseOf(1);
    const muchLater = START + TIMES.leaseMemoryMs;
    store.adopt(lease, { lastSeenAt: muchLater, gone: true }, muchLater);
    expect(store.find(lease.value.userId, muchLater)[0]?.lastSeenAt).toBe(START + TIMES.leaseValidityMs);
    expect(store.find(lease.value.userId, FORGOTTEN)).toEqual([]);
  });

  it("leaves a lease's sighting alone when another holder sends the same lease", () => {
    const store = newStore();
    const lease = leaseOf(1);
    store.put(lease, START);
    expect(store.adopt(lease, { lastSeenAt: START, gone: true }, START)).toBe("known");
    expect(store.find(lease.value.userId, START)[0]?.gone).toBe(false);
    const notice = {
      userId: lease.value.userId,
      deviceId: lease.value.deviceId,
      inbox: inboxNumber(1),
      home: supernodeNumber(2),
      lastSeenAt: START + 1,
    };
    expect(store.markGone(notice, START + 1)).toBe(false);
    expect(store.markGone({ ...notice, home: supernodeNumber(1) }, START + 1)).toBe(true);
    expect(store.find(lease.value.userId, START + 1)[0]).toMatchObject({ gone: true, lastSeenAt: START + 1 });
  });

  it("refuses a lease of another network rather than store it under its own", () => {
    const store = newStore();
    store.put(leaseOf(1), START);
    const foreign = leaseOf(2);
    const bytes = Uint8Array.from(foreign.bytes);
    bytes[5] = (bytes[5] as number) ^ 1;
    expect(() => store.put({ ...foreign, bytes }, START)).toThrow(RangeError);
  });
});

describe("the arena", () => {
  it("never gives out a cell twice, and gives a whole free slab to cells of another size", () => {
    const arena = new SlabArena();
    const cells = new Set<number>();
    for (let round = 0; round < 20_000; round++) {
      const cell = arena.allocate(100);
      cells.add(cell);
      arena.memoryOf(cell)[arena.offsetOf(cell)] = 1;
    }
    expect(cells.size).toBe(20_000);
    const bytes = arena.allocatedBytes;
    const slabs = arena.slabCount;
    for (const cell of cells) arena.free(cell);
    expect(arena.allocatedBytes).toBe(0);
    for (let round = 0; round < 5_000; round++) arena.allocate(300);
    expect(arena.allocatedBytes).toBeLessThanOrEqual(bytes);
    expect(arena.slabCount).toBe(slabs);
  });

  it("makes its slabs larger the more there is, wastes little, and has the large ones in huge pages", () => {
    const advised: number[] = [];
    const arena = new SlabArena({ firstSlabBytes: 1 << 16, adviseHuge: ({ byteLength }) => advised.push(byteLength) });
    let cells = 0;
    const fillTo = (bytes: number) => {
      for (; cells * 256 < bytes; cells++) arena.allocate(256);
      return arena.allocatedBytes / (cells * 256);
    };
    expect(fillTo(1 << 20)).toBeLessThan(1.1);
    expect(fillTo(100 << 20)).toBeLessThan(1.1);
    expect(arena.slabCount).toBeLessThan(110);
    expect(Math.min(...advised)).toBeGreaterThan((4 << 20) - 4_096);
    expect(advised.length).toBeGreaterThan(5);
  });
});

describe("the index", () => {
  it("finds what is there and nothing else after any number of removals, even when all hashes are alike", () => {
    const hashOf = (cell: number) => (cell % 3) - 1;
    const index = new UserIndex();
    const present = new Set<number>();
    let state = 1;
    for (let round = 0; round < 5_000; round++) {
      state = (Math.imul(state, 48271) >>> 0) % 2147483647;
      const cell = state % 200;
      if (present.delete(cell)) index.remove(hashOf(cell), cell);
      else {
        present.add(cell);
        index.add(hashOf(cell), cell);
      }
    }
    expect(index.size).toBe(present.size);
    for (const hash of [-1, 0, 1]) {
      const found = index.find(hash, () => true);
      expect(found.sort()).toEqual([...present].filter((cell) => hashOf(cell) === hash).sort());
    }
  });
});
