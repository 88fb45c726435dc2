import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { freePort } from "../../scripts/free-port.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { inShort, TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { startStallingProxy } from "../support/stalling-proxy.ts";
import type { TestDevice } from "../support/test-identities.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

describe("presence", () => {
  let network: TestNetwork;
  const cleanUps: (() => void)[] = [];

  beforeAll(async () => {
    network = await TestNetwork.start(3, { times: { reconnectGraceMs: 800 } });
  });
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });
  afterAll(() => network.close());

  const attach = async (index: number, device: TestDevice = network.authority.device()) => {
    const node = await TestNode.attach(network.at(index), device);
    cleanUps.push(() => node.close());
    return node;
  };
  const online = async (index: number, device?: TestDevice) => {
    const node = await attach(index, device);
    await node.register();
    return node;
  };
  const watch = (node: TestNode, ...others: { readonly userId: TestDevice["userId"] }[]) =>
    node.call("watch", { userIds: others.map(({ userId }) => userId) });

  it("is answered with what is known, at the same home and at another one", async () => {
    const [alice, near, far] = [await online(0), await online(0), await online(1)];
    const absent = network.authority.device();
    const { presences } = await watch(alice, near, far, absent);
    expect(presences.map(inShort)).toEqual(["online", "online", "nothing"]);
    expect(presences.map(({ userId }) => userId)).toEqual([near.userId, far.userId, absent.userId]);
  });

  it("is pushed without asking: coming, status, leaving with the time, coming back elsewhere", async () => {
    const alice = await online(0);
    const device = network.authority.device();
    await watch(alice, device);
    expect(alice.pushed).toEqual([]);

    const bob = await online(1, device);
    await alice.sees(bob.userId, "online");
    await bob.call("setStatus", { sealedStatus: new Uint8Array([1, 2, 3]) });
    await until(() => alice.pushed.at(-1)?.devices[0]?.sealedStatus.length === 3);
    expect(alice.pushed.at(-1)?.devices[0]?.sealedStatus).toEqual(Buffer.from([1, 2, 3]));

    const before = Date.now();
    await bob.call("detach", {});
    await alice.sees(bob.userId, "gone", 5_000);
    expect(alice.pushed.at(-1)?.devices[0]?.lastSeenAt).toBeGreaterThanOrEqual(before);

    await online(2, device);
    await alice.sees(bob.userId, "online");
    expect(alice.pushed.at(-1)?.devices[0]?.home).toBe(network.at(2).supernodeId);
  });

  it("tells nothing twice", async () => {
    const alice = await online(0);
    const bob = await online(1);
    await watch(alice, bob);
    await bob.call("setStatus", { sealedStatus: new Uint8Array([7]) });
    await until(() => alice.pushed.length > 0);
    await bob.call("setStatus", { sealedStatus: new Uint8Array([7]) });
    bob.close();
    await alice.sees(bob.userId, "gone");
    expect(alice.pushed.map(inShort)).toEqual(["online", "gone"]);
  });

  it("does not flicker when a device reconnects to the same home", async () => {
    const alice = await online(0);
    const device = network.authority.device();
    const older = await online(1, device);
    await watch(alice, device);
    const newer = await online(1, device);
    await until(() => alice.pushed.at(-1)?.devices[0]?.inbox === newer.inbox);
    expect(older.inbox).not.toBe(newer.inbox);
    expect(alice.pushed.map(inShort).filter((state) => state !== "online")).toEqual([]);
  });

  it("is gone all the same when the device reconnects and then does not register", async () => {
    const alice = await online(0);
    const device = network.authority.device();
    await online(1, device);
    await watch(alice, device);
    await attach(1, device);
    await alice.sees(device.userId, "gone");
  });

  it("shows every device of a user", async () => {
    const seed = new Uint8Array(32).fill(3);
    const alice = await online(0);
    const one = await online(1, network.authority.device({ seed }));
    const other = await online(2, network.authority.device({ seed }));
    const { presences } = await watch(alice, one);
    expect(inShort(presences[0])).toBe("online online");
    other.close();
    await until(
      () =>
        alice.pushed
          .at(-1)
          ?.devices.map(({ state }) => state)
          .sort()
          .join() === "gone,online",
    );
  });

  it("is no longer pushed of someone who is not watched any more, nor to someone who has left", async () => {
    const alice = await online(0);
    const [bob, carol] = [await online(1), await online(1)];
    await watch(alice, bob, carol);
    await watch(alice, carol);
    bob.close();
    carol.close();
    await alice.sees(carol.userId, "gone");
    expect(alice.lastPushed(bob.userId)).toBe("nothing");
  });

  it("makes someone hidden look offline to watchers, to look-ups and to a supernode that knows the inbox", async () => {
    const alice = await online(0);
    const bob = await online(1);
    await watch(alice, bob);
    await bob.register({ validityMs: 0 });
    await alice.sees(bob.userId, "gone");
    await bob.call("setStatus", { sealedStatus: new Uint8Array([9]) });
    expect(inShort(await alice.call("lookUp", { userId: bob.userId }))).toBe("gone");

    const link = await joinRaw(network, network.at(1));
    cleanUps.push(() => link.socket.disconnect());
    const told: unknown[] = [];
    link.socket.on("inboxChanged", (change: { state: string }) => told.push(change.state));
    await link.call("watchInboxes", { add: [bob.inbox], remove: [] });
    expect(told).toEqual(["gone"]);

    await bob.register();
    await alice.sees(bob.userId, "online");
  });

  it("is unknown at once when the home dies, and right again once the user has attached elsewhere", async () => {
    const victim = await network.addProcess();
    await network.acquainted();
    const alice = await online(0);
    const device = network.authority.device();
    const bob = await TestNode.online(victim.certificate, device);
    cleanUps.push(() => bob.close());
    const { presences } = await watch(alice, bob);
    expect(presences.map(inShort)).toEqual(["online"]);

    victim.kill("SIGKILL");
    await alice.sees(bob.userId, "unknown", 5_000);
    await online(1, device);
    await alice.sees(bob.userId, "online", 5_000);
  });

  it("is unknown when the home falls silent, and online again when it goes on", async () => {
    // Others reach the home's TCP port through a line that can stall; its own node does not, and gossip passes.
    const times = { pingIntervalMs: 500, pingTimeoutMs: 4_000 };
    const port = await freePort();
    const line = await startStallingProxy("127.0.0.2", "127.0.0.1", port);
    cleanUps.push(() => void line.close());
    const gossip = createSocket("udp4", (datagram) => gossip.send(datagram, port, "127.0.0.1"));
    gossip.bind(port, "127.0.0.2");
    cleanUps.push(() => void gossip.close());
    const home = await network.add({ host: "127.0.0.2", port, times });
    await until(() => home.stage().kind === "member");
    await network.acquainted();
    const alice = await online(0);
    const bob = await TestNode.online({ ...home.certificate, host: "127.0.0.1" }, network.authority.device());
    cleanUps.push(() => bob.close());
    // The first link through the line may take a slow machine longer than the answer waits; then it is pushed.
    const [first] = (await watch(alice, bob)).presences;
    if (inShort(first) !== "online") await alice.sees(bob.userId, "online");
    line.stall();
    await alice.sees(bob.userId, "unknown");
    line.resume();
    await alice.sees(bob.userId, "online");
  });

  it("comes for a thousand users in answers that fit a frame", async () => {
    const seats = await Promise.all(Array.from({ length: 30 }, (_, index) => online(index % 3)));
    for (const seat of seats) await seat.call("setStatus", { sealedStatus: new Uint8Array(512) });
    const absent = Array.from({ length: 970 }, () => ({ userId: UserId.parse(randomBytes(20).toString("hex")) }));
    const alice = await online(0);
    const { presences } = await watch(alice, ...seats, ...absent);
    const shown = () =>
      new Map([...presences, ...alice.pushed].map((presence) => [presence.userId, inShort(presence)]));
    await until(() => shown().size === 1_000 && seats.every(({ userId }) => shown().get(userId) === "online"));
    expect(presences.length).toBeLessThan(1_000);
    expect(alice.socket.connected).toBe(true);
  });

  it("is refused for more users than one client may watch", async () => {
    const alice = await online(0);
    const { userId } = network.authority.device();
    const userIds = Array.from({ length: LIMITS.maxWatchedUsers + 1 }, () => userId);
    expect(await codeOf(alice.call("watch", { userIds }))).toBe("malformed");
  });
});
