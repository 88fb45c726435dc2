import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { holdersOf } from "../../protocol/placement.ts";
import type { LinkHandlers } from "../../relay/links/link-peer.ts";
import { type HostileSupernode, startHostileSupernode } from "../support/hostile-supernode.ts";
import { inShort, TestNode } from "../support/node-api-client.ts";
import type { TestDevice } from "../support/test-identities.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

/** With the two honest ones more than a record has holders, so that there is somebody to ask. */
const LIARS = 9;
const FORGIVEN_MS = 300;
/** Where the inbox stands in an encoded lease (protocol/lease.ts). */
const INBOX_OFFSET = 110;

describe("holders that lie", () => {
  let network: TestNetwork;
  let liarIds: SupernodeId[];
  const liars: HostileSupernode[] = [];
  const cleanUps: (() => void)[] = [];
  /** What the liars do in this test. */
  let lies: Partial<LinkHandlers> = {};
  let asked: UserId[] = [];

  beforeAll(async () => {
    // Each test begins with a good opinion of everyone.
    network = await TestNetwork.start(2, {
      times: { distrustMs: FORGIVEN_MS, doubtMs: FORGIVEN_MS, slownessMs: FORGIVEN_MS, linkRequestMs: 3_000 },
    });
    for (let count = 0; count < LIARS; count++) {
      const liar = await startHostileSupernode(network, {
        find: (peer, input) => {
          asked.push(input.userId);
          return lies.find?.(peer, input) ?? { records: [] };
        },
        watchLeases: (peer, input) => {
          asked.push(...input.add);
          return lies.watchLeases?.(peer, input) ?? {};
        },
      });
      liars.push(liar);
    }
    liarIds = liars.map((liar) => liar.certificate.supernodeId);
    await until(() => network.supernodes.every((one) => liarIds.every((id) => one.members().includes(id))));
  });
  beforeEach(async () => {
    await new Promise((resolve) => setTimeout(resolve, FORGIVEN_MS));
    lies = {};
    asked = [];
  });
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });
  afterAll(async () => {
    for (const liar of liars) await liar.close();
    await network.close();
  });

  const online = async (index: number, device: TestDevice = network.authority.device()) => {
    const node = await TestNode.online(network.at(index), device);
    cleanUps.push(() => node.close());
    return node;
  };
  /** A user whose record the second honest supernode holds and the first does not, so that the first asks liars. */
  const heldElsewhere = (): TestDevice => {
    const [first, second] = [network.at(0).supernodeId, network.at(1).supernodeId];
    for (;;) {
      const device = network.authority.device();
      const holders = holdersOf(device.userId, [first, second, ...liarIds]);
      if (!holders.includes(first) && holders.includes(second) && holders[0] !== second && holders[1] !== second) {
        return device;
      }
    }
  };
  /** A lease that is not for this user, or that this user did not sign so: its inbox was changed. */
  const falseRecord = async (kind: "another user's" | "a forged", device: TestDevice) => {
    const bob = await TestNode.attach(network.at(1), kind === "a forged" ? device : network.authority.device());
    cleanUps.push(() => bob.close());
    const lease = Uint8Array.from(bob.lease({ sequence: Date.now() * 2 }));
    if (kind === "a forged") lease[INBOX_OFFSET] = (lease[INBOX_OFFSET] ?? 0) ^ 1;
    return { lease, gone: false, lastSeenAt: Date.now() };
  };

  it.each(["another user's", "a forged"] as const)(
    "are passed over by look-ups when they answer with %s lease",
    async (kind) => {
      const device = heldElsewhere();
      const record = await falseRecord(kind, device);
      lies = { find: () => ({ records: [record] }) };
      const alice = await online(0);
      const bob = await online(1, device);
      const found = await alice.call("lookUp", { userId: bob.userId });
      expect(found.devices).toMatchObject([{ deviceId: bob.device.deviceId, state: "online" }]);
      expect(asked).toContain(bob.userId);
    },
  );

  it("are passed over by look-ups when they do not answer", async () => {
    lies = { find: () => new Promise(() => undefined) };
    const alice = await online(0);
    const bob = await online(1, heldElsewhere());
    const startedAt = performance.now();
    expect(inShort(await alice.call("lookUp", { userId: bob.userId }))).toBe("online");
    // Hedged: nobody waited for the first one's time-out.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(asked.length).toBeGreaterThan(1);
  });

  it("are outvoted when only one of them hides a record", async () => {
    const device = heldElsewhere();
    const bob = await online(1, device);
    const lease = bob.lease();
    await bob.call("register", { lease });
    let answers = 0;
    lies = { find: () => ({ records: answers++ === 0 ? [] : [{ lease, gone: false, lastSeenAt: 0 }] }) };
    const alice = await online(0);
    expect(inShort(await alice.call("lookUp", { userId: bob.userId }))).toBe("online");
    expect(answers).toBeGreaterThan(0);
  });

  it("cannot hold on to a home that the user has left", async () => {
    const device = heldElsewhere();
    const before = await online(0, device);
    const oldLease = before.lease();
    await before.call("register", { lease: oldLease });
    lies = { find: () => ({ records: [{ lease: oldLease, gone: false, lastSeenAt: 0 }] }) };
    const after = await online(1, device);
    before.close();
    await until(() => !before.socket.connected);
    const alice = await online(0);
    const { devices } = await alice.call("lookUp", { userId: device.userId });
    expect(devices).toMatchObject([{ state: "online", inbox: after.inbox }]);
    expect(asked).toContain(device.userId);
  });

  it("cannot make a watcher believe in a lease that its user did not sign", async () => {
    const device = heldElsewhere();
    const record = await falseRecord("a forged", device);
    lies = {
      watchLeases(peer, { add }) {
        for (const userId of add) peer.push({ name: "leaseChanged", value: { userId, ...record } });
        return {};
      },
    };
    const alice = await online(0);
    const bob = await online(1, device);
    const { presences } = await alice.call("watch", { userIds: [bob.userId] });
    await until(() => inShort([...presences, ...alice.pushed].at(-1)) === "online");
    const shown = [...presences, ...alice.pushed].flatMap(({ devices }) => devices.map(({ deviceId }) => deviceId));
    expect(new Set(shown)).toEqual(new Set([bob.device.deviceId]));
    expect(asked).toContain(bob.userId);
  });

  it("cannot make a watcher believe that someone is gone whose home says otherwise", async () => {
    const alice = await online(0);
    const bob = await online(1, heldElsewhere());
    const lease = bob.lease();
    await bob.call("register", { lease });
    lies = {
      watchLeases(peer, { add }) {
        for (const userId of add) {
          peer.push({ name: "leaseChanged", value: { userId, lease, gone: true, lastSeenAt: 0 } });
        }
        return {};
      },
    };
    const { presences } = await alice.call("watch", { userIds: [bob.userId] });
    expect(presences.map(inShort)).toEqual(["online"]);
    expect(alice.pushed.map(inShort).filter((state) => state !== "online")).toEqual([]);
    expect(asked).toContain(bob.userId);
  });

  it("cannot speak about inboxes of another home", async () => {
    const alice = await online(0);
    const bob = await online(1, heldElsewhere());
    const lease = bob.lease();
    await bob.call("register", { lease });
    lies = {
      watchLeases(peer, { add }) {
        for (const userId of add) {
          peer.push({ name: "leaseChanged", value: { userId, lease, gone: false, lastSeenAt: 0 } });
        }
        return {};
      },
    };
    await alice.call("watch", { userIds: [bob.userId] });
    for (const liar of liars) {
      const value = { inbox: bob.inbox, state: "gone", sealedStatus: new Uint8Array(0), lastSeenAt: 0 } as const;
      liar.pushToAll({ name: "inboxChanged", value });
    }
    await bob.call("setStatus", { sealedStatus: new Uint8Array([5]) });
    await until(() => alice.pushed.at(-1)?.devices[0]?.sealedStatus.length === 1);
    expect(alice.pushed.map(inShort).filter((state) => state !== "online")).toEqual([]);
  });

  it("are no longer asked about users whom nobody watches any more", async () => {
    const removed: UserId[] = [];
    lies = {
      watchLeases(_peer, { remove }) {
        removed.push(...remove);
        return {};
      },
    };
    const [bob, carol] = [heldElsewhere(), heldElsewhere()];
    const [alice, dave] = [await online(0), await online(0)];
    await alice.call("watch", { userIds: [bob.userId, carol.userId] });
    await dave.call("watch", { userIds: [carol.userId] });
    expect(asked).toEqual(expect.arrayContaining([bob.userId, carol.userId]));
    alice.close();
    await until(() => removed.includes(bob.userId));
    dave.close();
    await until(() => removed.includes(carol.userId));
  });

  it("push nonsense in vain", async () => {
    const nonsense = [undefined, null, 7, "x", [], {}, { userId: "x" }, { userId: "00".repeat(20), lease: 1 }];
    lies = {
      watchLeases(peer, { add }) {
        asked.push(...add);
        for (const value of nonsense) {
          peer.push({ name: "leaseChanged", value } as never);
          peer.push({ name: "inboxChanged", value } as never);
          peer.push({ name: "no such push", value } as never);
        }
        return {};
      },
    };
    const [alice, bob] = [await online(0), await online(0)];
    const carol = heldElsewhere();
    await alice.call("watch", { userIds: [carol.userId, bob.userId] });
    expect(asked).toContain(carol.userId);
    expect((await alice.call("lookUp", { userId: bob.userId })).userId).toBe(bob.userId);
  });
});
