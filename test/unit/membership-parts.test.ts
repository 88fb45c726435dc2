import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GossipItem } from "../../protocol/gossip-item.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { Agenda } from "../../relay/membership/agenda.ts";
import { BroadcastQueue } from "../../relay/membership/broadcast-queue.ts";
import { EarlyPackets } from "../../relay/membership/early-packets.ts";
import { GOSSIP_TIMES } from "../../relay/membership/gossip-times.ts";
import { MemberTable } from "../../relay/membership/member-table.ts";
import { Peer } from "../../relay/membership/peer.ts";
import { retransmissions, suspicionTimeoutMs } from "../../relay/membership/suspicion-timeout.ts";
import { TokenBucket } from "../../relay/token-bucket.ts";
import { seededRandom } from "../sim/virtual-time.ts";
import { GossipActor } from "../support/gossip-actor.ts";
import { TestAuthority } from "../support/test-identities.ts";

const NOW = 1_800_000_000_000;
const authority = new TestAuthority(signingKeyPair(), () => NOW);
const actors = Array.from({ length: 12 }, () => new GossipActor(authority));
const announcements = actors.map((actor) => actor.announce(NOW));

describe("the agenda", () => {
  it("does everything at its time and in order, but what was cancelled", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ at: fc.nat(1_000), isCancelled: fc.boolean() })), (plan) => {
        const agenda = new Agenda();
        const done: number[] = [];
        for (const { at, isCancelled } of plan) {
          const appointment = agenda.schedule(at, () => done.push(at));
          if (isCancelled) agenda.cancel(appointment);
        }
        const kept = plan.filter(({ isCancelled }) => !isCancelled).map(({ at }) => at);
        agenda.run(500);
        expect(done).toEqual(kept.filter((at) => at <= 500).sort((a, b) => a - b));
        agenda.run(1_000);
        expect(done).toEqual(kept.sort((a, b) => a - b));
        expect(agenda.nextAt()).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  it("postpones what is planned, and not what is planned after that", () => {
    const agenda = new Agenda();
    const done: string[] = [];
    agenda.schedule(100, () => done.push("early"));
    agenda.postponeAll(1_000);
    agenda.schedule(200, () => done.push("late"));
    agenda.run(500);
    expect(done).toEqual(["late"]);
    agenda.run(1_100);
    expect(done).toEqual(["late", "early"]);
  });
});

describe("the queue of news", () => {
  const item = (actor: number): GossipItem => ({
    kind: "announcement",
    announcement: announcements[actor] as Peer["announcement"],
  });

  it("tells each piece so many times and no more, the least told first", () => {
    const queue = new BroadcastQueue();
    queue.add("a", item(0));
    expect(queue.take(134, 3)).toEqual([item(0)]);
    queue.add("b", item(1));
    const order = Array.from({ length: 6 }, () => queue.take(134, 3)[0]).map((taken) =>
      taken?.kind === "announcement" ? taken.announcement.value.supernodeId : null,
    );
    expect(order.filter((id) => id === actors[0]?.id)).toHaveLength(2);
    expect(order.filter((id) => id === actors[1]?.id)).toHaveLength(3);
    expect(order[0]).toBe(actors[1]?.id);
    expect(order[5]).toBeNull();
    expect(queue.isEmpty).toBe(true);
    expect(queue.bytes).toBe(0);
  });

  it("replaces a piece by a newer one about the same, and fits what fits", () => {
    const queue = new BroadcastQueue();
    queue.add("a", item(0));
    queue.add("a", item(1));
    for (const other of [2, 3, 4]) queue.add(`${other}`, item(other));
    const taken = queue.take(2 * 134 + 50, 9);
    expect(taken).toHaveLength(2);
    expect(taken).not.toContainEqual(item(0));
    queue.remove("3");
    expect(queue.bytes).toBe(3 * 134);
  });
});

describe("the table of members", () => {
  const filled = () => {
    const table = new MemberTable(seededRandom(3));
    const peers = actors.map(
      (actor, at) => new Peer(actor.certificate, announcements[at] as Peer["announcement"], null, NOW),
    );
    for (const peer of peers) {
      table.add(peer);
      table.setStatus(peer, "alive", NOW);
    }
    return { table, peers };
  };

  it("probes everybody once a round, in another order each time", () => {
    const { table, peers } = filled();
    const round = () => peers.map(() => table.nextToProbe()?.id);
    round();
    const [first, second] = [round(), round()];
    expect(new Set(first).size).toBe(peers.length);
    expect(new Set(second)).toEqual(new Set(first));
    expect(second).not.toEqual(first);
  });

  it("has the same digest whenever it holds the same announcements, however it came to that", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ who: fc.nat(11), status: fc.constantFrom("alive", "suspect", "dead", "left") })),
        (steps) => {
          const { table, peers } = filled();
          for (const { who, status } of steps) {
            table.setStatus(peers[who] as Peer, status as Peer["status"], NOW);
            table.setAnnouncement(peers[who] as Peer, (peers[who] as Peer).announcement);
          }
          for (const peer of peers) table.setStatus(peer, "alive", NOW);
          expect(table.digest()).toEqual(filled().table.digest());
          expect(table.live).toHaveLength(12);
          expect(table.dead).toHaveLength(0);
          table.setStatus(peers[4] as Peer, "dead", NOW);
          expect(table.digest()).not.toEqual(filled().table.digest());
          expect(table.anyDead()).toBe(peers[4]);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("a suspicion", () => {
  const seconds = (members: number, confirmations: number) =>
    suspicionTimeoutMs(GOSSIP_TIMES, members, confirmations) / 1_000;

  it("lasts longer in a bigger network, and shorter the more others confirm it", () => {
    expect(seconds(3, 0)).toBe(3);
    expect(seconds(200, 2)).toBeCloseTo(3.45, 1);
    expect(seconds(2_000, 2)).toBeCloseTo(4.95, 1);
    expect(seconds(2_000, 0)).toBeCloseTo(4 * 4.95, 1);
    expect(seconds(2_000, 1)).toBeLessThan(seconds(2_000, 0));
    expect(seconds(2_000, 1)).toBeGreaterThan(seconds(2_000, 2));
  });

  it("is passed on by each so often as the logarithm of the size asks", () => {
    expect([3, 200, 2_000, 20_000].map(retransmissions)).toEqual([12, 12, 16, 20]);
  });
});

describe("packets of unknown senders", () => {
  const [first, second] = actors as [GossipActor, GossipActor];

  it("come out once their sender is known, in order, and only for a few seconds", () => {
    const early = new EarlyPackets<string>();
    early.keep(first.id, "a", NOW);
    early.keep(second.id, "b", NOW + 100);
    early.keep(first.id, "c", NOW + 200);
    expect(early.takeKnown(() => false, NOW + 300)).toEqual([]);
    expect(early.takeKnown((id) => id === first.id, NOW + 400)).toEqual(["a", "c"]);
    expect(early.takeKnown(() => true, NOW + 500)).toEqual(["b"]);
    early.keep(second.id, "d", NOW);
    expect(early.takeKnown(() => true, NOW + 10_000)).toEqual([]);
  });

  it("are few of each and few in all, whatever names somebody invents: the oldest are thrown away", () => {
    const early = new EarlyPackets<string>();
    for (let count = 0; count < 1_000; count++) early.keep(first.id, "early", NOW);
    expect(early.takeKnown(() => true, NOW).length).toBeLessThan(10);
    for (let count = 0; count < 10_000; count++) {
      early.keep(SupernodeId.parse(count.toString(16).padStart(40, "0")), `${count}`, NOW);
    }
    const kept = early.takeKnown(() => true, NOW);
    expect(kept.length).toBeLessThan(200);
    expect(kept.at(-1)).toBe("9999");
  });
});

describe("a token bucket", () => {
  it("allows its burst, then its rate, and makes debts wait", () => {
    const bucket = new TokenBucket(3, 2);
    const taken = (at: number) => bucket.take(NOW + at);
    expect([taken(0), taken(0), taken(0), taken(0)]).toEqual([true, true, true, false]);
    expect([taken(500), taken(500)]).toEqual([true, false]);
    bucket.charge(2, NOW + 500);
    expect([taken(1_400), taken(2_000)]).toEqual([false, true]);
  });
});
