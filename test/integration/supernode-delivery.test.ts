import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

describe("delivery", () => {
  let network: TestNetwork;
  const cleanUps: (() => void)[] = [];

  beforeAll(async () => {
    network = await TestNetwork.start(2, { times: { deliverMs: 300 }, limits: { deliveriesInFlight: 4 } });
  });
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });
  afterAll(() => network.close());

  const attach = async (index: number) => {
    const node = await TestNode.attach(network.at(index), network.authority.device());
    cleanUps.push(() => node.close());
    return node;
  };
  const envelope = new Uint8Array([1, 2, 3]);

  it.each([0, 1])("reaches a device at its home, from a node of supernode %i", async (index) => {
    const alice = await attach(index);
    const bob = await attach(0);
    expect(await alice.send(bob, envelope)).toEqual({ delivered: true });
    expect(bob.delivered).toEqual([
      { from: { userId: alice.userId, deviceId: alice.device.deviceId }, envelope: Buffer.from(envelope) },
    ]);
  });

  it("carries the largest envelope, and refuses a larger one without passing it on", async () => {
    const alice = await attach(1);
    const bob = await attach(0);
    const largest = new Uint8Array(randomBytes(LIMITS.maxEnvelopeBytes));
    expect(await alice.send(bob, largest)).toEqual({ delivered: true });
    expect(bob.delivered[0]?.envelope).toEqual(Buffer.from(largest));
    expect(await codeOf(alice.send(bob, new Uint8Array(LIMITS.maxEnvelopeBytes + 1)))).toBe("too-large");
    expect(bob.delivered).toHaveLength(1);
  });

  it("stamps the sender itself: a node cannot speak for another one", async () => {
    const alice = await attach(1);
    const bob = await attach(0);
    const forged = { home: bob.home.supernodeId, inbox: bob.inbox, envelope, from: { userId: bob.userId } };
    const answer = await alice.socket.timeout(2_000).emitWithAck("send", forged);
    expect(answer).toMatchObject({ error: { code: "malformed" } });
    await alice.send(bob, envelope);
    expect(bob.delivered.map(({ from }) => from.userId)).toEqual([alice.userId]);
  });

  it("says so when nobody has the inbox, the home is unknown, or the device has left", async () => {
    const alice = await attach(1);
    const bob = await attach(0);
    const { supernodeId } = network.at(0);
    const nobody = InboxId.parse(randomBytes(16).toString("hex"));
    const nowhere = SupernodeId.parse(randomBytes(20).toString("hex"));
    expect(await alice.send({ home: supernodeId, inbox: nobody }, envelope)).toEqual({ delivered: false });
    expect(await alice.send({ home: nowhere, inbox: bob.inbox }, envelope)).toEqual({ delivered: false });
    expect(await alice.send({ home: network.at(1).supernodeId, inbox: bob.inbox }, envelope)).toEqual({
      delivered: false,
    });
    bob.close();
    await until(async () => !(await alice.send(bob, envelope)).delivered);
  });

  it.each([
    ["stays silent", null],
    ["refuses", { ok: false, error: { code: "internal", message: "", details: {} } }],
    ["answers nonsense", 42],
  ])("is not claimed when the device %s", async (_what, answer) => {
    const alice = await attach(1);
    const bob = await attach(0);
    bob.answerDelivery = answer;
    expect(await alice.send(bob, envelope)).toEqual({ delivered: false });
    expect(bob.delivered).toHaveLength(1);
  });

  it("does not let envelopes pile up for a device that takes none", async () => {
    const alice = await attach(1);
    const bob = await attach(0);
    bob.answerDelivery = null;
    const answers = await Promise.all(Array.from({ length: 12 }, () => alice.send(bob, envelope)));
    expect(answers.every(({ delivered }) => !delivered)).toBe(true);
    expect(bob.delivered).toHaveLength(4);
    bob.answerDelivery = { ok: true, value: {} };
    expect(await alice.send(bob, envelope)).toEqual({ delivered: true });
  });

  it("gives up a device that does not read at all, before it fills the memory", async () => {
    const limits = {
      nodeBacklogBytes: 300_000,
      deliveriesInFlight: 1_000,
      nodeRequestsInFlight: 1_000,
      nodeRequestBurst: 1_000,
    };
    const small = await TestNetwork.start(1, { limits });
    cleanUps.push(() => void small.close());
    const alice = await TestNode.attach(small.at(0), small.authority.device());
    const bob = await TestNode.attach(small.at(0), small.authority.device());
    cleanUps.push(
      () => alice.close(),
      () => bob.close(),
    );
    const transport = bob.socket.io.engine.transport as unknown as { ws: { pause(): void } };
    transport.ws.pause();
    const large = new Uint8Array(LIMITS.maxEnvelopeBytes);
    for (let round = 0; small.supernodes[0]?.attachedNodes() === 2; round++) {
      expect(round).toBeLessThan(40);
      for (let count = 0; count < 20; count++) void alice.send(bob, large).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(alice.socket.connected).toBe(true);
  });

  it("takes what another supernode routes, for inboxes that are here", async () => {
    const bob = await attach(0);
    const link = await joinRaw(network, network.at(0));
    cleanUps.push(() => link.socket.disconnect());
    const { userId, deviceId } = network.authority.device();
    const from = { userId, deviceId };
    expect(await link.call("route", { inbox: bob.inbox, from, envelope })).toEqual({ delivered: true });
    const nobody = InboxId.parse(randomBytes(16).toString("hex"));
    expect(await link.call("route", { inbox: nobody, from, envelope })).toEqual({ delivered: false });
  });
});
