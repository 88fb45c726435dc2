/** Holders that come, go and lie, under a virtual clock: what becomes of the records. */
import { beforeAll, describe, expect, it } from "vitest";
import { TIMES } from "../../protocol/limits.ts";
import { holdersOf } from "../../protocol/placement.ts";
import type { ReplicationMessage } from "../../protocol/replication-message.ts";
import { madeAccount, madeLease, supernodeNumber } from "../support/made-leases.ts";
import { type Holder, ReplicaNetwork } from "../support/replica-network.ts";

const START = 1_800_000_000_000;
const SECOND = 1_000;
const USERS = 120;

type Account = ReturnType<typeof madeAccount>;
type Made = ReturnType<typeof madeLease>;

let accounts: Account[];
let leases: Made[];
let older: Made[];
beforeAll(() => {
  accounts = Array.from({ length: USERS }, (_, number) => madeAccount(number));
  leases = accounts.map((account) => madeLease(account, { issuedAt: START }));
  older = accounts.map((account) => madeLease(account, { issuedAt: START - 1_000 }));
});

/** A network where everybody holds what is theirs to hold. */
function filled(size: number, replicas = 8, limits = {}): ReplicaNetwork {
  const network = new ReplicaNetwork(START, size, replicas, limits);
  for (const lease of leases) {
    for (const holder of network.holdersOf(lease.value.userId)) {
      // Every third user is away, and was seen a little later than the lease says.
      const gone = Number.parseInt(lease.value.userId.slice(0, 2), 16) % 3 === 0;
      holder.store.adopt(lease, { gone, lastSeenAt: START + 5 }, START + 10);
    }
  }
  network.time.run(SECOND);
  return network;
}

const missing = (network: ReplicaNetwork) => leases.reduce((sum, { value }) => sum + network.missing(value.userId), 0);
const lost = (network: ReplicaNetwork) =>
  leases.filter(({ value }) => network.up.every(({ store }) => store.find(value.userId, network.time.now).length === 0))
    .length;
const sum = (network: ReplicaNetwork, pick: (holder: Holder) => number) =>
  network.up.reduce((total, holder) => total + pick(holder), 0);

describe("when holders die", () => {
  it("their records are whole again within seconds, sightings of people who are away included", () => {
    const network = filled(40);
    network.change({ kill: network.holders.slice(0, 12) });
    expect(missing(network)).toBeGreaterThan(100);
    network.time.run(3 * SECOND);
    expect(missing(network)).toBe(0);
    for (const { value } of leases) {
      const isAway = Number.parseInt(value.userId.slice(0, 2), 16) % 3 === 0;
      const records = network
        .holdersOf(value.userId)
        .flatMap(({ store }) => store.find(value.userId, network.time.now));
      expect(records.map(({ gone }) => gone)).toEqual(Array(8).fill(isAway));
      expect(new Set(records.map(({ lastSeenAt }) => lastSeenAt))).toEqual(new Set([START + 5]));
    }
  });

  it("nothing that had a living replica is lost in three waves of a third, with newcomers in between", () => {
    const network = filled(45);
    for (let wave = 0; wave < 3; wave++) {
      const victims = network.up.filter((_, at) => at % 3 === wave % 3);
      const living = leases.filter(({ value }) =>
        network.holdersOf(value.userId).some((holder) => !victims.includes(holder)),
      );
      expect(living).toHaveLength(USERS);
      network.change({ kill: victims, join: victims.length });
      network.time.run(8 * SECOND);
      expect(missing(network)).toBe(0);
    }
    expect(lost(network)).toBe(0);
  });

  it("all of them are repaired although they are noticed one after the other", () => {
    const network = filled(40);
    const dying = network.holders.slice(0, 12);
    for (const holder of dying) holder.isUp = false;
    for (const dead of dying) {
      for (const holder of network.up) {
        holder.members = new Set([...holder.members].filter((id) => id !== dead.id));
        holder.replication.membersChanged(network.time.now);
      }
      network.time.run(0.6 * SECOND);
    }
    network.time.run(10 * SECOND);
    expect(missing(network)).toBe(0);
  });

  it("records are repaired although their new holders hear of the deaths seconds later", () => {
    for (const replicas of [3, 8]) {
      const network = filled(40, replicas);
      const dying = new Set(network.holders.slice(0, 12));
      for (const holder of dying) holder.isUp = false;
      const alive = new Set(network.members);
      for (const [at, holder] of network.up.entries()) {
        network.time.after(at % 2 === 0 ? 0 : 4 * SECOND, () => {
          holder.members = alive;
          holder.replication.membersChanged(network.time.now);
        });
      }
      const lostWithTheDead = lost(network) * replicas;
      network.time.run(20 * SECOND);
      expect(missing(network) - lostWithTheDead).toBe(0);
    }
  });

  it("records are repaired that were written after newcomers had joined, just before others died", () => {
    const network = new ReplicaNetwork(START, 30);
    network.change({ join: 20 });
    network.time.run(3 * SECOND);
    for (const lease of leases) {
      for (const holder of network.holdersOf(lease.value.userId)) holder.store.put(lease, network.time.now);
    }
    network.change({ kill: network.holders.filter((_, place) => place % 3 === 0) });
    network.time.run(10 * SECOND);
    expect(missing(network)).toBe(0);
  });

  it("who comes back with nothing before its records are all handed on gets them back", () => {
    const network = filled(20);
    const [restarted] = network.holders.splice(5, 1) as [Holder];
    network.change({ kill: [restarted] });
    network.time.run(3 * SECOND);
    network.restart(restarted);
    network.time.run(10 * SECOND);
    expect(missing(network)).toBe(0);
  });

  it("a change during a repair is repaired as well", () => {
    const network = filled(40);
    for (const holder of network.holders.slice(0, 10)) {
      network.change({ kill: [holder] });
      network.time.run(150);
    }
    network.time.run(4 * SECOND);
    expect(missing(network)).toBe(0);
  });

  it("what a broken line has swallowed is sent again, by the only one who has it", () => {
    const network = filled(20, 2);
    for (const holder of network.up) {
      let isBroken = true;
      holder.tamper = (message) => {
        if (message.type !== "records" || !isBroken) return message;
        isBroken = false;
        return null;
      };
    }
    network.change({ kill: [network.holders[0] as Holder] });
    expect(missing(network)).toBeGreaterThan(5);
    network.time.run(60 * SECOND);
    expect(missing(network)).toBe(0);
  });

  it("nobody sends what nobody lacks: each new replica is sent once", () => {
    const network = filled(40);
    network.change({ kill: network.holders.slice(0, 8) });
    const toRepair = missing(network);
    network.time.run(5 * SECOND);
    expect(sum(network, ({ metrics }) => metrics.adopted)).toBe(toRepair);
    expect(sum(network, ({ metrics }) => metrics.sent)).toBeLessThan(toRepair * 1.1);
  });

  it("the line is not taken from calls: no more is sent than the limit allows", () => {
    const network = filled(20, 8, { bytesPerSecond: 1_000 });
    network.change({ kill: network.holders.slice(0, 6) });
    const bytesAfter = (seconds: number) => {
      network.time.run(seconds * SECOND);
      return Math.max(...network.up.map(({ sentBytes }) => sentBytes));
    };
    // A burst of two seconds' worth, and one message more.
    expect(bytesAfter(2)).toBeLessThan(2_000 + 2 * 1_000 + 15_000);
    network.time.run(120 * SECOND);
    expect(missing(network)).toBe(0);
  });
});

describe("when holders join", () => {
  it("they are handed their share, and those who hold too much give it up after a while", () => {
    const network = filled(20, 3, { auditMs: 20 * SECOND, orphanGraceMs: 5 * SECOND });
    network.change({ join: 10 });
    network.time.run(4 * SECOND);
    expect(missing(network)).toBe(0);
    expect(sum(network, ({ store }) => store.size)).toBeGreaterThan(USERS * 3);
    network.time.run(120 * SECOND);
    expect(missing(network)).toBe(0);
    expect(sum(network, ({ store }) => store.size)).toBe(USERS * 3);
  });

  it("a record that only one holder has kept comes back to all by the audit", () => {
    const network = filled(20, 8, { auditMs: 10 * SECOND });
    const [{ value }] = leases as [(typeof leases)[number]];
    for (const holder of network.holdersOf(value.userId).slice(1)) holder.store.drop(value.userId, value.deviceId);
    expect(network.missing(value.userId)).toBe(7);
    network.time.run(120 * SECOND);
    expect(network.missing(value.userId)).toBe(0);
  });
});

describe("when the network is cut in two", () => {
  it("everybody has the newest of what was written on either side, soon after it has healed", () => {
    const network = filled(30);
    const left = network.holders.slice(0, 12);
    const right = network.holders.slice(12);
    const members = (side: readonly Holder[]) => new Set(side.map(({ id }) => id));
    const learn = (holder: Holder, known: ReadonlySet<Holder["id"]>) => {
      holder.members = known;
      holder.replication.membersChanged(network.time.now);
    };
    for (const side of [left, right]) for (const holder of side) learn(holder, members(side));
    network.time.run(6 * SECOND);
    // Half of the people refresh their leases on either side.
    const newer = accounts.map((account) => madeLease(account, { issuedAt: network.time.now }));
    for (const [at, lease] of newer.entries()) {
      const side = at % 2 === 0 ? left : right;
      const ids = holdersOf(lease.value.userId, members(side));
      for (const holder of side) if (ids.includes(holder.id)) holder.store.put(lease, network.time.now);
    }
    for (const holder of network.holders) learn(holder, members(network.holders));
    network.time.run(10 * SECOND);
    const newest = (holder: Holder, lease: Made) =>
      holder.store.sequenceOf(lease.value.userId, lease.value.deviceId) === lease.value.sequence;
    const wrong = newer.filter(
      (lease) => !network.holdersOf(lease.value.userId).every((holder) => newest(holder, lease)),
    );
    expect(wrong).toEqual([]);
  });
});

describe("when holders lie", () => {
  const repairedWith = (tamper: Holder["tamper"], liars: number) => {
    const network = filled(40);
    for (const holder of network.holders.slice(12, 12 + liars)) holder.tamper = tamper;
    network.change({ kill: network.holders.slice(0, 6) });
    network.time.run(20 * SECOND);
    const honest = network.up.slice(liars);
    const stillMissing = leases.reduce(
      (total, { value }) =>
        total +
        network
          .holdersOf(value.userId)
          .filter((holder) => honest.includes(holder) && !holder.store.find(value.userId, network.time.now)[0]).length,
      0,
    );
    return { network, stillMissing };
  };

  it("by offering and never sending, the second who has offered sends", () => {
    const { network, stillMissing } = repairedWith((message) => (message.type === "records" ? null : message), 6);
    expect(sum(network, ({ metrics }) => metrics.secondSource)).toBeGreaterThan(0);
    expect(stillMissing).toBeLessThanOrEqual(3);
  });

  it("by sending forged leases, these are refused and counted, and the second sends the true ones", () => {
    const { network, stillMissing } = repairedWith((message) => {
      if (message.type !== "records") return message;
      const records = message.records.map((record) => {
        const lease = Uint8Array.from(record.lease);
        lease[100] = (lease[100] as number) ^ 1;
        return { ...record, lease };
      });
      return { type: "records", records };
    }, 6);
    expect(sum(network, ({ metrics }) => metrics.refused.forged)).toBeGreaterThan(0);
    expect(stillMissing).toBeLessThanOrEqual(3);
  });

  it("by sending an older lease than they offered, the newer one is still asked for", () => {
    const { network } = repairedWith((message) => {
      if (message.type !== "records") return message;
      const records = message.records.map((record) => {
        const at = leases.findIndex(({ bytes }) => Buffer.from(bytes).equals(record.lease));
        return { ...record, lease: (older[at] ?? (older[0] as (typeof older)[number])).bytes };
      });
      return { type: "records", records };
    }, 4);
    const stale = leases.filter(({ value }) =>
      network
        .holdersOf(value.userId)
        .some(({ store }) =>
          store.find(value.userId, network.time.now).some(({ lease }) => lease.value.sequence < START),
        ),
    );
    expect(sum(network, ({ metrics }) => metrics.secondSource)).toBeGreaterThan(0);
    expect(stale.length).toBeLessThanOrEqual(2);
  });
});

describe("what is not taken", () => {
  it("records that nobody asked for, of users that are not ours to hold, and from who is no member", () => {
    const network = filled(60, 3);
    const [taker] = network.holders as [Holder];
    const foreign = leases.filter(({ value }) => !network.holdersOf(value.userId).includes(taker));
    const records = foreign.map(({ bytes }) => ({ lease: bytes, gone: false, lastSeenAt: START }));
    const before = taker.store.size;
    const [, from] = network.members as [string, (typeof network.members)[number]];
    taker.replication.receive(from, { type: "records", records }, network.time.now);
    expect(taker.metrics.refused.unsolicited).toBe(foreign.length);
    const offered = foreign.map(({ value: { userId, deviceId, sequence } }) => ({ userId, deviceId, sequence }));
    taker.replication.receive(from, { type: "offer", offerId: 1, records: offered }, network.time.now);
    expect(taker.metrics.refused.misplaced).toBeGreaterThan(foreign.length * 0.8);
    taker.replication.receive(supernodeNumber(9_999), { type: "records", records }, network.time.now);
    expect(taker.metrics.refused["not-a-member"]).toBe(1);
    network.time.run(SECOND);
    expect(taker.store.size).toBe(before);
  });

  it("a lease whose time has not come, one that is older than was offered, and one of another network", () => {
    const network = new ReplicaNetwork(START, 2);
    const [taker, giver] = network.holders as [Holder, Holder];
    const [first, second, third] = leases as [Made, Made, Made];
    const early = madeLease(accounts[3] as Account, { issuedAt: START + TIMES.maxClockSkewMs + 60 * SECOND });
    const foreign = Uint8Array.from(third.bytes);
    foreign[3] = (foreign[3] as number) ^ 1;
    const offered = [first, second, third, early].map(({ value: { userId, deviceId, sequence } }) => ({
      ...{ userId, deviceId, sequence },
    }));
    taker.replication.receive(giver.id, { type: "offer", offerId: 1, records: offered }, network.time.now);
    const outdated = older[1] as Made;
    const records = [first.bytes, outdated.bytes, foreign, early.bytes].map((lease) => ({
      ...{ lease, gone: false, lastSeenAt: START },
    }));
    taker.replication.receive(giver.id, { type: "records", records }, network.time.now);
    expect(taker.metrics.refused).toMatchObject({ "from-the-future": 1, stale: 1, forged: 1 });
    // The older one is better than none, and the newer one is still waited for.
    expect(taker.store.size).toBe(2);
    // Played again, each is what nobody waits for any more.
    const replayed = { type: "records", records: records.slice(0, 1) } as const;
    taker.replication.receive(giver.id, replayed, network.time.now);
    expect(taker.metrics.refused.unsolicited).toBe(1);
  });

  it("offers and records beyond what one supernode may make us take", () => {
    const network = new ReplicaNetwork(START, 3, 8, { offeredBurst: 50, adoptedBurst: 20, adoptedPerSecond: 0.001 });
    const [taker, giver] = network.holders as [Holder, Holder];
    for (const lease of leases) giver.store.put(lease, START);
    const offered = leases.map(({ value: { userId, deviceId, sequence } }) => ({ userId, deviceId, sequence }));
    taker.replication.receive(giver.id, { type: "offer", offerId: 7, records: offered }, network.time.now);
    expect(taker.metrics.refused.flooded).toBe(USERS - 50);
    const records = leases.slice(0, 50).map(({ bytes }) => ({ lease: bytes, gone: false, lastSeenAt: START }));
    taker.replication.receive(giver.id, { type: "records", records }, network.time.now);
    expect(taker.store.size).toBe(20);
  });

  it("much more records of one supernode than of the others", () => {
    const network = new ReplicaNetwork(START, 4, 8, { adoptedBurst: 5, adoptedPerSecond: 0.001 });
    const [taker, ...givers] = network.holders as [Holder, Holder, Holder, Holder];
    const give = (giver: Holder, from: number, to: number) => {
      const own = leases.slice(from, to);
      const offered = own.map(({ value: { userId, deviceId, sequence } }) => ({ userId, deviceId, sequence }));
      taker.replication.receive(giver.id, { type: "offer", offerId: from, records: offered }, network.time.now);
      const records = own.map(({ bytes }) => ({ lease: bytes, gone: false, lastSeenAt: START }));
      taker.replication.receive(giver.id, { type: "records", records }, network.time.now);
    };
    const [greedy, second, third] = givers;
    give(second, 0, 5);
    give(third, 5, 10);
    give(greedy, 10, 110);
    expect(taker.store.size).toBe(10 + 4 * 5);
    // Who had its share taken is heard as long as the others go on as well.
    give(second, 110, 115);
    expect(taker.store.size).toBe(10 + 4 * 5 + 5);
  });

  it("so much of one that never sends that others are not heard", () => {
    const network = new ReplicaNetwork(START, 3, 8, { maxPending: 200, maxPendingOfOne: 100 });
    const [taker, liar, honest] = network.holders as [Holder, Holder, Holder];
    const wanted: number[] = [];
    taker.tamper = (message) => {
      if (message.type === "answer") wanted.push(message.wanted.length);
      return message;
    };
    const offered = leases.map(({ value: { userId, deviceId, sequence } }) => ({ userId, deviceId, sequence }));
    taker.replication.receive(liar.id, { type: "offer", offerId: 7, records: offered }, network.time.now);
    taker.replication.receive(honest.id, { type: "offer", offerId: 8, records: offered.slice(100) }, network.time.now);
    expect(wanted).toEqual([100, USERS - 100]);
  });

  it("an answer to an offer that we never made, or to another's, makes us send nothing", () => {
    const network = filled(10);
    const [holder] = network.holders as [Holder];
    const answer: ReplicationMessage = { type: "answer", offerId: 5, wanted: [0, 1], held: [] };
    holder.replication.receive(network.members[3] as Holder["id"], answer, network.time.now);
    network.time.run(SECOND);
    expect(holder.metrics.sent).toBe(0);
    expect(holder.metrics.refused.unsolicited).toBe(1);
  });
});
