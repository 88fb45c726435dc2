/** The membership protocol in small simulated networks: every scenario under a virtual clock, the same each time. */
import { describe, expect, it } from "vitest";
import { SimGossip } from "../sim/sim-gossip.ts";
import type { SimNode } from "../sim/sim-node.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const agree = (nodes: readonly SimNode[]) =>
  nodes.every((node) => {
    const view = node.view();
    return view.size === nodes.length && nodes.every(({ id }) => view.has(id));
  });
const count = (network: SimGossip, pick: (node: SimNode) => number) =>
  network.up.reduce((sum, node) => sum + pick(node), 0);
const deaths = (network: SimGossip) => count(network, (node) => node.core.metrics.deaths);
const stages = (nodes: readonly SimNode[]) => nodes.map((node) => node.core.stage.kind);

/** A network of this size that has settled. */
function settled(size: number, options: ConstructorParameters<typeof SimGossip>[0] = { seed: 1 }): SimGossip {
  const network = new SimGossip(options);
  network.form(size);
  network.time.run(5 * SECOND);
  return network;
}

describe("joining", () => {
  it("makes one network of supernodes that all start at once, and know only some of each other", () => {
    const network = new SimGossip({ seed: 7 });
    const nodes = network.addAndStart(30, 3 * SECOND);
    network.time.run(40 * SECOND);
    expect(agree(nodes)).toBe(true);
    expect(new Set(stages(nodes))).toEqual(new Set(["member"]));
    expect(deaths(network)).toBe(0);
  });

  it("lets a supernode begin a network alone, and two merge into one", () => {
    const network = new SimGossip({ seed: 2 });
    const [first, second] = [network.add(), network.add()];
    first.start([second]);
    network.time.run(20 * SECOND);
    expect(first.core.stage.kind).toBe("member");
    second.start([first]);
    // Each vouches for the other as soon as it can: there is nobody else.
    network.time.run(2 * SECOND);
    expect(agree([first, second])).toBe(true);
  });

  it("tells a newcomer of everybody, and everybody of it, within seconds", () => {
    const network = settled(60);
    const newcomer = network.add();
    newcomer.start([network.nodes[3] as SimNode]);
    network.time.run(10 * SECOND);
    expect(agree(network.up)).toBe(true);
    // Two seeds are greeted, and each may have it examined.
    expect(count(network, (node) => node.core.metrics.vouched)).toBeLessThanOrEqual(2);
  });

  it("learns of members whose guarantors are dead, and on no list any more", () => {
    const network = new SimGossip({ seed: 9 });
    network.addAndStart(24, 3 * SECOND);
    network.time.run(30 * SECOND);
    for (const node of network.nodes.slice(0, 8)) node.kill();
    network.time.run(30 * SECOND);
    const newcomer = network.add();
    newcomer.start(network.up);
    network.time.run(3 * SECOND);
    expect(agree(network.up)).toBe(true);
  });

  it("does so although packets are lost, and nobody holds the newcomer for dead meanwhile", () => {
    let stillUnknown = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const network = settled(60, { seed, loss: 0.02 });
      const newcomer = network.add();
      newcomer.start([network.nodes[3] as SimNode, network.nodes[4] as SimNode]);
      network.time.run(8 * SECOND);
      stillUnknown += network.up.filter((node) => !node.view().has(newcomer.id)).length;
      stillUnknown += network.up.length - newcomer.view().size;
      network.time.run(30 * SECOND);
      expect(agree(network.up)).toBe(true);
      expect(deaths(network)).toBe(0);
    }
    expect(stillUnknown).toBeLessThanOrEqual(3);
  });

  it("tells a newcomer of hundreds in portions, each by another member, so that none is thrown away", () => {
    const network = settled(250);
    const newcomer = network.add();
    newcomer.start(network.nodes.slice(0, 2));
    network.time.run(0.7 * SECOND);
    expect(newcomer.core.stage.kind).toBe("member");
    expect(newcomer.view().size).toBeGreaterThan(50);
    expect(newcomer.view().size).toBeLessThan(140);
    network.time.run(4 * SECOND);
    expect(agree(network.up)).toBe(true);
  });

  it("answers the probe of a member that it has not heard of yet: it asks who that is, and keeps the packet", () => {
    for (const seed of [1, 2, 3]) {
      const network = settled(5, { seed, times: { probeMs: 10 * MINUTE, syncMs: 10 * MINUTE } });
      const [deaf, ...others] = network.nodes as [SimNode, ...SimNode[]];
      deaf.isCut = true;
      const newcomer = network.add();
      newcomer.start(others);
      network.time.run(10 * SECOND);
      expect(newcomer.view().has(deaf.id)).toBe(true);
      expect(deaf.view().has(newcomer.id)).toBe(false);
      deaf.isCut = false;
      newcomer.handle({ type: "link-lost", supernodeId: deaf.id });
      network.time.run(600);
      expect(newcomer.core.metrics.probes).toBe(1);
      expect(newcomer.core.metrics.missedAcks).toBe(0);
      expect(deaf.view().has(newcomer.id)).toBe(true);
    }
  });

  it("merges two networks that began apart", () => {
    const network = new SimGossip({ seed: 11 });
    const left = Array.from({ length: 6 }, () => network.add());
    const right = Array.from({ length: 6 }, () => network.add());
    for (const node of right) node.side = 1;
    for (const node of [...left, ...right]) node.start([...left, ...right].filter((other) => other !== node));
    network.time.run(30 * SECOND);
    expect(agree(left) && agree(right)).toBe(true);
    for (const node of right) node.side = 0;
    network.time.run(2 * MINUTE);
    expect(agree([...left, ...right])).toBe(true);
  });
});

describe("a newcomer that cannot be reached from outside", () => {
  it("by UDP or TCP does not become a member, and is told so", () => {
    const network = settled(12);
    const firewalled = network.add();
    firewalled.isFirewalled = true;
    firewalled.start(network.nodes.slice(0, 3));
    network.time.run(MINUTE);
    expect(network.up.filter((node) => node !== firewalled).every((node) => !node.view().has(firewalled.id))).toBe(
      true,
    );
    expect(firewalled.core.stage).toEqual({ kind: "unreachable", by: "udp" });
  });

  it("by TCP alone is told that it is TCP, and let in once that works", () => {
    const network = settled(12);
    const newcomer = network.add();
    newcomer.refusesTcp = true;
    newcomer.start(network.nodes.slice(0, 3));
    network.time.run(MINUTE);
    expect(newcomer.core.stage).toEqual({ kind: "unreachable", by: "tcp" });
    expect(network.nodes[5]?.view().has(newcomer.id)).toBe(false);
    newcomer.refusesTcp = false;
    network.time.run(MINUTE);
    expect(agree(network.up)).toBe(true);
  });
});

describe("a member whose TCP port is closed later", () => {
  const QUICK = { reachCheckMs: MINUTE };

  it("falls out with the reason, though its UDP works, and comes back once it is open again", () => {
    const network = settled(12, { seed: 1, times: QUICK });
    const node = network.nodes[4] as SimNode;
    node.refusesTcp = true;
    network.time.run(4 * MINUTE);
    expect(node.core.stage).toEqual({ kind: "unreachable", by: "tcp" });
    const others = network.up.filter((other) => other !== node);
    expect(others.every((other) => !other.view().has(node.id))).toBe(true);
    network.time.run(3 * MINUTE);
    expect(node.core.stage).toEqual({ kind: "unreachable", by: "tcp" });
    node.refusesTcp = false;
    network.time.run(MINUTE);
    expect(node.core.stage).toEqual({ kind: "member" });
    expect(agree(network.up)).toBe(true);
  });

  it("stays when some could not connect to it and others can, whoever lies", () => {
    const network = settled(12, { seed: 1, times: QUICK });
    for (const liar of network.nodes.slice(0, 4)) liar.claimsNobodyAnswers = true;
    network.time.run(60 * MINUTE);
    const failures = network.up.reduce((sum, { core }) => sum + core.metrics.reachFailures, 0);
    expect(failures).toBeGreaterThan(20);
    expect(network.up.every(({ core }) => core.stage.kind === "member")).toBe(true);
    expect(agree(network.up)).toBe(true);
  });

  it("is not told so by whom it has not asked", () => {
    const network = settled(8, { seed: 1, times: QUICK });
    const [node, ...others] = network.nodes as [SimNode, ...SimNode[]];
    for (const other of others) {
      node.handle({ type: "message", from: other.id, message: { type: "reached", isReached: false } });
    }
    expect(node.core.stage).toEqual({ kind: "member" });
    expect(node.core.metrics.refused.unsolicited).toBe(others.length);
  });

  it("stays where there are too few others to tell who lies", () => {
    const network = settled(3, { seed: 1, times: QUICK });
    const node = network.nodes[0] as SimNode;
    node.refusesTcp = true;
    network.time.run(10 * MINUTE);
    expect(node.core.metrics.reachFailures).toBeGreaterThan(2);
    expect(node.core.stage).toEqual({ kind: "member" });
  });
});

describe("leaving", () => {
  it("is known everywhere within two seconds, without a suspicion", () => {
    const network = settled(40);
    const leaver = network.nodes[9] as SimNode;
    leaver.leave();
    network.time.run(2 * SECOND);
    expect(agree(network.up)).toBe(true);
    expect(count(network, (node) => node.core.metrics.suspicionsRaised)).toBe(0);
  });

  it("does not keep a supernode from coming back", () => {
    const network = settled(20);
    const leaver = network.nodes[9] as SimNode;
    leaver.leave();
    network.time.run(10 * SECOND);
    leaver.start(network.nodes.slice(0, 2));
    network.time.run(10 * SECOND);
    expect(agree(network.up)).toBe(true);
  });
});

describe("crashing", () => {
  it("of one is seen by all within twelve seconds", () => {
    for (const seed of [1, 2, 3]) {
      const network = settled(50, { seed });
      (network.nodes[5] as SimNode).kill();
      network.time.run(12 * SECOND);
      expect(agree(network.up)).toBe(true);
    }
  });

  it("of a third at once is seen by all within twenty seconds, with nobody else held for dead", () => {
    const network = settled(60, { seed: 4, loss: 0.01 });
    for (const node of network.nodes.slice(0, 20)) node.kill();
    network.time.run(20 * SECOND);
    expect(agree(network.up)).toBe(true);
    expect(deaths(network)).toBe(20 * 40);
  });

  it("is seen faster where the loss of the TCP link gives it away", () => {
    const timeToKnow = (hint: boolean) => {
      const network = settled(40, { seed: 12 });
      const victim = network.nodes[7] as SimNode;
      victim.kill();
      if (hint) for (const node of network.up) node.handle({ type: "link-lost", supernodeId: victim.id });
      const start = network.time.now;
      while (!agree(network.up)) network.time.run(100);
      return network.time.now - start;
    };
    expect(timeToKnow(true)).toBeLessThan(timeToKnow(false));
    expect(timeToKnow(true)).toBeLessThan(5 * SECOND);
  });

  it("of many at once has a few look after each whose link was lost, and not everybody", () => {
    const network = settled(60, { seed: 13 });
    const probes = () => count(network, (node) => node.core.metrics.probes);
    const victims = network.nodes.slice(0, 20) as SimNode[];
    for (const victim of victims) victim.kill();
    const before = probes();
    for (const node of network.up) {
      for (const victim of victims) node.handle({ type: "link-lost", supernodeId: victim.id });
    }
    network.time.run(SECOND);
    expect(probes() - before).toBeLessThan((victims.length * network.up.length) / 3);
    network.time.run(8 * SECOND);
    expect(agree(network.up)).toBe(true);
  });

  it("and starting again gives a supernode its place back, whatever was suspected of its former life", () => {
    const network = settled(30);
    const victim = network.nodes[4] as SimNode;
    victim.kill();
    network.time.run(3 * SECOND);
    victim.start(network.nodes.slice(10, 12));
    network.time.run(15 * SECOND);
    expect(agree(network.up)).toBe(true);
  });

  it("of everybody, and starting again, makes the same network", () => {
    const network = settled(20);
    for (const node of network.nodes) node.kill();
    network.time.run(MINUTE);
    for (const node of network.nodes) node.start(network.seedsFor(node));
    network.time.run(MINUTE);
    expect(agree(network.up)).toBe(true);
  });
});

describe("what is no death", () => {
  it("lost packets: nobody is held for dead at 5 % loss, and suspicions are refuted", () => {
    const network = settled(50, { seed: 5, loss: 0.05 });
    network.time.run(10 * MINUTE);
    expect(count(network, (node) => node.core.metrics.suspicionsRaised)).toBeGreaterThan(0);
    expect(deaths(network)).toBe(0);
    expect(agree(network.up)).toBe(true);
  });

  it("a process stopped for two seconds: it neither is held for dead nor holds others for dead", () => {
    const network = settled(30, { seed: 6 });
    const sleeper = network.nodes[3] as SimNode;
    for (let round = 0; round < 5; round++) {
      sleeper.stop();
      network.time.run(2 * SECOND);
      sleeper.resume();
      network.time.run(10 * SECOND);
    }
    expect(sleeper.core.metrics.stalls).toBe(5);
    expect(deaths(network)).toBe(0);
  });

  it("a process that has its turn 700 ms late, again and again, suspects nobody for that", () => {
    const network = settled(30, { seed: 6 });
    const sluggish = network.nodes[3] as SimNode;
    for (let round = 0; round < 60; round++) {
      sluggish.stop();
      network.time.run(700);
      sluggish.resume();
      network.time.run(50);
    }
    expect(sluggish.core.metrics.suspicionsRaised).toBe(0);
    expect(deaths(network)).toBe(0);
  });

  it("a process stopped for a minute is held for dead, and lives again for all when it goes on", () => {
    const network = settled(30, { seed: 6 });
    const sleeper = network.nodes[3] as SimNode;
    sleeper.stop();
    network.time.run(MINUTE);
    const others = network.up.filter((node) => node !== sleeper);
    expect(agree(others)).toBe(true);
    sleeper.resume();
    network.time.run(20 * SECOND);
    expect(agree(network.up)).toBe(true);
    expect(sleeper.core.metrics.deaths).toBe(0);
  });

  it("a partition: each side goes on by itself, and one network is whole again within a minute of its healing", () => {
    const network = settled(40, { seed: 8 });
    const right = network.nodes.slice(0, 15);
    for (const node of right) node.side = 1;
    network.time.run(MINUTE);
    expect(agree(right)).toBe(true);
    expect(agree(network.nodes.slice(15))).toBe(true);
    for (const node of right) node.side = 0;
    network.time.run(MINUTE);
    expect(agree(network.up)).toBe(true);
  });
});

describe("the cost", () => {
  it("of a quiet network stays under 300 bytes a second for each, whatever its size", () => {
    for (const size of [10, 100]) {
      const network = settled(size, { seed: 9 });
      const before = count(network, (node) => node.sentBytes);
      network.time.run(2 * MINUTE);
      const perSecond = (count(network, (node) => node.sentBytes) - before) / size / 120;
      expect(perSecond).toBeLessThan(300);
    }
  });

  it("is the same to the byte in two runs of the same seed, and another with another seed", () => {
    const bytes = (seed: number) => {
      const network = settled(30, { seed, loss: 0.02 });
      (network.nodes[3] as SimNode).kill();
      network.time.run(MINUTE);
      return count(network, (node) => node.sentBytes);
    };
    expect(bytes(10)).toBe(bytes(10));
    expect(bytes(10)).not.toBe(bytes(11));
  });
});
