/** Supernodes that come, go, crash, freeze and cannot be reached, with the whole supernode around them. */
import { createSocket } from "node:dgram";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { freePort } from "../../scripts/free-port.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { inShort, TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { startStallingProxy } from "../support/stalling-proxy.ts";
import type { TestDevice } from "../support/test-identities.ts";
import { type ForkedSupernode, TestNetwork, type TestSupernode } from "../support/test-network.ts";
import { until } from "../support/until.ts";

/** As `members()` says it: everywhere the same. */
const agree = (supernodes: readonly TestSupernode[]) =>
  supernodes.every((one) => one.members().length === supernodes.length) &&
  supernodes.every((one) => supernodes.every((other) => one.members().includes(other.supernodeId)));

describe("a supernode among others", () => {
  let network: TestNetwork;
  const cleanUps: (() => void)[] = [];

  beforeEach(async () => {
    network = await TestNetwork.start(2, { gossipTimes: { reachMs: 1_000, vouchRetryMs: 1_000 } });
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
    await network.close();
  });

  const attach = async (home: Parameters<typeof TestNode.online>[0], device = network.authority.device()) => {
    const node = await TestNode.online(home, device);
    cleanUps.push(() => node.close());
    return node;
  };
  /** What a holder itself has of a user. */
  const heldBy = async (holder: TestSupernode, { userId }: Pick<TestDevice, "userId">) => {
    const link = await joinRaw(network, holder.certificate);
    try {
      return (await link.call("find", { userId })).records;
    } finally {
      link.socket.disconnect();
    }
  };

  it("stays outside and says why as long as its UDP port lets nothing in, and comes in when it does", async () => {
    const port = await freePort();
    // Others reach it at an address where only its TCP port is passed on.
    const tcp = await startStallingProxy("127.0.0.2", "127.0.0.1", port);
    cleanUps.push(() => void tcp.close());
    const words: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => words.push(line) });
    const hidden = await network.add({
      ...{ host: "127.0.0.2", port, log, gossipTimes: { reachMs: 1_000, vouchRetryMs: 1_000 } },
      status: { host: "127.0.0.1", port: 0 },
    });
    expect(hidden.stage()).toEqual({ kind: "unreachable", by: "udp" });
    const readiness = async () => {
      const answer = await fetch(`${hidden.statusUrl}ready`);
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await readiness()).toMatch(/^503 outside/);
    expect(words.join("")).toContain("no member can reach this supernode from outside");
    expect(network.supernodes[0]?.members()).not.toContain(hidden.supernodeId);
    const visitor = TestNode.attach({ ...hidden.certificate, host: "127.0.0.1" }, network.authority.device());
    expect(await codeOf(visitor)).toBe("supernode-busy");

    const udp = createSocket("udp4", (datagram) => udp.send(datagram, port, "127.0.0.1"));
    udp.bind(port, "127.0.0.2");
    cleanUps.push(() => void udp.close());
    await until(() => hidden.stage().kind === "member" && agree(network.supernodes));
    expect(await readiness()).toMatch(/^200 ready/);
  });

  it("stays outside as long as its TCP port lets nothing in", async () => {
    const port = await freePort();
    const udp = createSocket("udp4", (datagram) => udp.send(datagram, port, "127.0.0.1"));
    udp.bind(port, "127.0.0.2");
    cleanUps.push(() => void udp.close());
    const hidden = await network.add({ host: "127.0.0.2", port, gossipTimes: { reachMs: 1_000 } });
    expect(hidden.stage()).toEqual({ kind: "unreachable", by: "tcp" });
    expect(network.supernodes[0]?.members()).not.toContain(hidden.supernodeId);
  });

  it("leaves when its TCP port lets nothing in any more, says why, and sends its people elsewhere", async () => {
    await network.add();
    const port = await freePort();
    const udp = createSocket("udp4", (datagram) => udp.send(datagram, port, "127.0.0.1"));
    udp.bind(port, "127.0.0.2");
    cleanUps.push(() => void udp.close());
    const tcp = await startStallingProxy("127.0.0.2", "127.0.0.1", port);
    const words: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => words.push(line) });
    const gossipTimes = { reachMs: 1_000, vouchRetryMs: 1_000, reachCheckMs: 1_000 };
    const shut = await network.add({ host: "127.0.0.2", port, log, gossipTimes });
    await network.acquainted();
    const node = await attach({ ...shut.certificate, host: "127.0.0.1" });
    await tcp.close();

    const others = network.supernodes.filter((other) => other !== shut);
    await until(() => agree(others), 60_000);
    expect(shut.stage()).toEqual({ kind: "unreachable", by: "tcp" });
    expect(words.join("")).toContain("no member can reach this supernode from outside");
    await until(() => node.toldToGo.length > 0, 30_000);
  });

  it("hands the records of people who are away on, until none of those who had them first is left", async () => {
    while (network.supernodes.length < 8) await network.add();
    await network.acquainted();
    const device = network.authority.device();
    const away = await attach(network.at(0), device);
    await away.call("detach", {});
    const holders = () => {
      const ids = holdersOf(
        device.userId,
        network.supernodes.map(({ supernodeId }) => supernodeId),
      );
      return network.supernodes.filter(({ supernodeId }) => ids.includes(supernodeId));
    };
    const isWhole = async () => {
      const held = await Promise.all(holders().map((holder) => heldBy(holder, device)));
      return held.every(([record]) => record?.gone === true);
    };
    await until(isWhole);
    const first = new Set<SupernodeId>(holders().map(({ supernodeId }) => supernodeId));
    while (network.supernodes.some(({ supernodeId }) => first.has(supernodeId))) {
      for (let count = 0; count < 4; count++) {
        const at = network.supernodes.findIndex(({ supernodeId }) => first.has(supernodeId));
        const [leaver] = at === -1 ? [] : network.supernodes.splice(at, 1);
        await leaver?.close();
      }
      for (let count = 0; count < 4; count++) await network.add();
      await until(() => agree(network.supernodes));
      await until(isWhole);
    }
    const seeker = await attach(network.at(0));
    const found = await seeker.call("lookUp", { userId: device.userId });
    expect(inShort(found)).toBe("gone");
  });
});

describe("a supernode's process", () => {
  let network: TestNetwork;
  let forked: ForkedSupernode;
  let alice: TestNode;
  let bob: TestNode;

  beforeEach(async () => {
    network = await TestNetwork.start(2);
    forked = await network.addProcess();
    await network.acquainted();
    alice = await TestNode.online(network.at(0), network.authority.device());
    bob = await TestNode.online(forked.certificate, network.authority.device());
    const { presences } = await alice.call("watch", { userIds: [bob.userId] });
    if (inShort(presences[0]) !== "online") await alice.sees(bob.userId, "online");
  });
  afterEach(async () => {
    alice.close();
    bob.close();
    forked.kill("SIGCONT");
    await network.close();
  });

  it("that is stopped is missed, its people are unknown, and all is well again when it goes on", async () => {
    const witness = network.supernodes[0] as TestSupernode;
    forked.kill("SIGSTOP");
    await alice.sees(bob.userId, "unknown", 60_000);
    await until(() => !witness.members().includes(forked.supernodeId), 60_000);
    forked.kill("SIGCONT");
    await until(() => witness.members().includes(forked.supernodeId), 60_000);
    await alice.sees(bob.userId, "online", 60_000);
  });

  it("that is killed and starts again remembers who was here", async () => {
    bob.close();
    await alice.sees(bob.userId, "gone");
    // What it wrote down is with the operating system within a quarter of a second.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    forked.kill("SIGKILL");
    await forked.process.ended;
    // The others forget all they know.
    for (const one of network.supernodes.splice(0)) await one.close();
    forked = await network.addProcess([], forked);
    const carol = await TestNode.online(forked.certificate, network.authority.device());
    try {
      expect(inShort(await carol.call("lookUp", { userId: bob.userId }))).toBe("gone");
    } finally {
      carol.close();
    }
  });
});
