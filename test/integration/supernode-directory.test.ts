import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { inShort, TestNode } from "../support/node-api-client.ts";
import { TestNetwork } from "../support/test-network.ts";

describe("a network of three supernodes", () => {
  let network: TestNetwork;
  const nodes: TestNode[] = [];

  beforeAll(async () => {
    network = await TestNetwork.start(3);
  });
  afterEach(() => {
    for (const node of nodes.splice(0)) node.close();
  });
  afterAll(() => network.close());

  const online = async (index: number, device = network.authority.device()): Promise<TestNode> => {
    const node = await TestNode.online(network.at(index), device);
    nodes.push(node);
    return node;
  };

  it("finds a user who registered at another supernode", async () => {
    const alice = await online(0);
    const bob = await online(1);
    const found = await bob.call("lookUp", { userId: alice.userId });
    expect(inShort(found)).toBe("online");
    expect(found.devices[0]).toMatchObject({ deviceId: alice.device.deviceId, inbox: alice.inbox });
  });

  it("tells watchers at once when someone comes, changes status and goes", async () => {
    const alice = await online(0);
    const device = network.authority.device();
    const { presences } = await alice.call("watch", { userIds: [device.userId] });
    expect(presences.map(inShort)).toEqual(["nothing"]);

    const bob = await online(1, device);
    await alice.sees(bob.userId, "online");
    await bob.call("setStatus", { sealedStatus: new Uint8Array([1, 2, 3]) });
    await alice.sees(bob.userId, "online");
    bob.close();
    await alice.sees(bob.userId, "gone", 2_000);
  });

  it("carries envelopes between supernodes and says whether they were taken", async () => {
    const alice = await online(0);
    const bob = await online(1);
    const envelope = new Uint8Array([1, 2, 3]);
    expect(await alice.send(bob, envelope)).toEqual({ delivered: true });
    expect(bob.delivered).toEqual([
      { from: { userId: alice.userId, deviceId: alice.device.deviceId }, envelope: Buffer.from(envelope) },
    ]);
  });
});
