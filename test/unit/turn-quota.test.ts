import { describe, expect, it } from "vitest";
import { QuotaBook, type QuotaRules } from "../../relay/turn/quota-book.ts";
import { UNLIMITED } from "../../relay/turn/relay-quota.ts";
import { MemoryTurn } from "../support/turn-memory.ts";
import { parsePeer } from "../support/turn-memory-client.ts";

const PEER = "198.41.1.1:5000";
const rules = (changed: Partial<QuotaRules>): QuotaRules => ({
  total: UNLIMITED,
  perUser: UNLIMITED,
  perSource: UNLIMITED,
  ...changed,
});

function call(turn: MemoryTurn, from: string, user: string) {
  const client = turn.client(from, user);
  expect(client.allocate().code).toBe("success");
  const relay = turn.udp.sockets.at(-1);
  expect(client.bind(0x4000, PEER).code).toBe("success");
  return { client, relay, fromPeer: (bytes: number) => relay?.deliver(Buffer.alloc(bytes), parsePeer(PEER)) };
}

describe.each([10_000, 100_000, 1_000_000])("a rate of %i bytes a second", (bytesPerSecond) => {
  it.each([
    ["a user", { perUser: { ...UNLIMITED, bytesPerSecond } }, "user-bandwidth"],
    ["a source address", { perSource: { ...UNLIMITED, bytesPerSecond } }, "source-bandwidth"],
    ["all", { total: { ...UNLIMITED, bytesPerSecond } }, "total-bandwidth"],
  ] as const)(
    "for %s lets through 10 s' worth in 10 s, to 1 %%, however much is sent both ways",
    (_, changed, reason) => {
      const turn = new MemoryTurn({ quotas: rules(changed) });
      const calls = [call(turn, "198.41.7.7:1", "alice"), call(turn, "198.41.7.7:2", "alice")];
      const passed = () => turn.counters.bytesToPeers + turn.counters.bytesFromPeers;
      const packetBytes = 160;
      const packetsPerMs = Math.ceil((bytesPerSecond * 3) / 1_000 / packetBytes / 4);
      for (let ms = 0; ms < 10_000; ms++) {
        turn.nowMs += 1;
        for (let packet = 0; packet < packetsPerMs; packet++) {
          for (const { client, fromPeer } of calls) {
            client.sendChannel(0x4000, Buffer.alloc(packetBytes));
            fromPeer(packetBytes);
          }
        }
        // The answers are of no interest here, and would fill the memory.
        turn.listening.sent.length = 0;
        for (const { relay } of calls) relay?.sent.splice(0);
      }
      expect(Math.abs(passed() - bytesPerSecond * 10)).toBeLessThanOrEqual(bytesPerSecond * 0.1);
      expect(turn.refusals[reason]).toBeGreaterThan(0);
    },
  );
});

it("a rate lets a packet larger than its bucket through, and takes the time for it afterwards", () => {
  const turn = new MemoryTurn({ quotas: rules({ perUser: { ...UNLIMITED, bytesPerSecond: 3_000 } }) });
  const { client } = call(turn, "198.41.7.7:1", "alice");
  const times: number[] = [];
  for (let ms = 0; ms < 10_000; ms++) {
    turn.nowMs += 1;
    const before = turn.counters.packetsToPeers;
    client.sendChannel(0x4000, Buffer.alloc(6_000));
    if (turn.counters.packetsToPeers > before) times.push(ms);
  }
  expect(times.length).toBe(5);
  expect((times[4] ?? 0) - (times[0] ?? 0)).toBe(8_000);
});

it("users do not share a rate, and neither allocating anew nor waiting brings more of it", () => {
  const turn = new MemoryTurn({ quotas: rules({ perUser: { ...UNLIMITED, bytesPerSecond: 10_000 } }) });
  const alice = call(turn, "198.41.7.7:1", "alice");
  const bob = call(turn, "198.41.7.7:2", "bob");
  const send = ({ client }: typeof alice) => {
    const before = turn.counters.packetsToPeers;
    for (let index = 0; index < 50; index++) client.sendChannel(0x4000, Buffer.alloc(100));
    return turn.counters.packetsToPeers - before;
  };
  expect([send(alice), send(bob)]).toEqual([9, 9]);
  alice.client.refresh(0);
  expect(send(call(turn, "198.41.7.7:3", "alice"))).toBe(0);
  turn.pass(50_000);
  expect(send(bob)).toBe(9);
});

describe("a month's volume", () => {
  const bytesPerMonth = 1_000;

  it.each([
    ["a user", { perUser: { ...UNLIMITED, bytesPerMonth } }, 486],
    ["a source address", { perSource: { ...UNLIMITED, bytesPerMonth } }, 486],
    ["all", { total: { ...UNLIMITED, bytesPerMonth } }, 508],
  ] as const)(
    "of %s is never exceeded by a byte, and new allocations are refused when it is used up",
    (_, changed, code) => {
      const turn = new MemoryTurn({ quotas: rules(changed) });
      const { client, fromPeer } = call(turn, "198.41.7.7:1", "alice");
      client.sendChannel(0x4000, Buffer.alloc(600));
      fromPeer(300);
      fromPeer(101);
      expect(turn.counters.bytesToPeers + turn.counters.bytesFromPeers).toBe(900);
      fromPeer(100);
      fromPeer(1);
      expect(turn.counters.bytesToPeers + turn.counters.bytesFromPeers).toBe(1_000);
      expect(turn.client("198.41.7.7:9", "alice").allocate().code).toBe(code);
    },
  );

  it("is there again in the next month, UTC", () => {
    const turn = new MemoryTurn({ quotas: rules({ total: { ...UNLIMITED, bytesPerMonth } }) });
    const { client } = call(turn, "198.41.7.7:1", "alice");
    client.sendChannel(0x4000, Buffer.alloc(1_000));
    turn.wallMs = Date.UTC(2026, 10, 30, 23, 59, 59);
    turn.core.sweep();
    expect(turn.client("198.41.7.8:1", "bob").allocate().code).toBe(508);
    turn.wallMs = Date.UTC(2026, 11, 1);
    turn.core.sweep();
    expect(turn.client("198.41.7.8:2", "bob").allocate().code).toBe("success");
  });

  it("outlives a restart through the ledger, for users, sources and all", () => {
    const written = new Map<string, ReadonlyMap<string, number>>();
    const ledger = {
      read: (month: string) => written.get(month) ?? new Map(),
      write: (month: string, volumes: ReadonlyMap<string, number>) => void written.set(month, new Map(volumes)),
    };
    const limits = { ...UNLIMITED, bytesPerMonth };
    const quotas = { total: limits, perUser: limits, perSource: limits };
    const before = new MemoryTurn({ quotas, ledger });
    call(before, "198.41.7.7:1", "alice").client.sendChannel(0x4000, Buffer.alloc(700));
    before.quotas.save();
    expect([...(written.get("2026-11") ?? [])].sort()).toEqual([
      ["source:198.41.7.7", 700],
      ["total", 700],
      ["user:alice", 700],
    ]);
    const after = new MemoryTurn({ quotas, ledger });
    const { client } = call(after, "198.41.7.7:1", "alice");
    client.sendChannel(0x4000, Buffer.alloc(301));
    expect(after.counters.bytesToPeers).toBe(0);
    client.sendChannel(0x4000, Buffer.alloc(300));
    expect(after.counters.bytesToPeers).toBe(300);
  });
});

it("accounts of which nothing is known are forgotten, and the number of the others is bounded", () => {
  const limits = { ...UNLIMITED, bytesPerMonth: 1_000 };
  let volumes: ReadonlyMap<string, number> = new Map();
  const keep = (_: string, written: ReadonlyMap<string, number>) => {
    volumes = written;
  };
  const ledger = { read: () => new Map<string, number>(), write: keep };
  const book = new QuotaBook({ total: UNLIMITED, perUser: limits, perSource: UNLIMITED }, ledger, 0, 0);
  for (let index = 0; index < 60_000; index++) {
    book.user(`user${index}`, 0).bytesThisMonth = index;
    book.source(`source${index}`, 0);
  }
  book.sweep(0, 70_000);
  book.save();
  expect(volumes.size).toBeLessThanOrEqual(55_001);
  book.sweep(0, 80_000);
  book.save();
  expect(volumes.size).toBeLessThanOrEqual(50_001);
  expect(volumes.has("user:user59999")).toBe(true);
  expect([...volumes.keys()].some((key) => key.startsWith("source:"))).toBe(false);
});
