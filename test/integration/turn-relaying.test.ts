/** Real sockets on both sides: what clients and peers get through the server, on every transport and both UDP paths. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Attribute } from "../../relay/turn/stun-attributes.ts";
import { relayedAddress, type TurnClient, xorAddressOf } from "../support/turn-client.ts";
import { type EchoPeer, startPeer, startTestTurnServer, type TestTurnServer } from "../support/turn-test-server.ts";

const DATA = Buffer.from("sound");
const paths = ["portable", "batched"] as const;
const transports = ["udp", "tcp", "tls"] as const;

describe.each(paths)("over the %s UDP path", (udp) => {
  let turn: TestTurnServer;
  let peer: EchoPeer;

  beforeEach(async () => {
    turn = await startTestTurnServer({ udp });
    peer = await startPeer();
  });

  afterEach(async () => {
    await peer.close();
    await turn.close();
    expect(turn.errors).toEqual([]);
    expect(turn.server.stats().refused.internal).toBe(0);
  });

  it("runs on the path that it was asked for", () => {
    expect(turn.server.stats().udp).toBe(udp);
  });

  describe.each(transports)("for a client over %s", (transport) => {
    let client: TurnClient;

    beforeEach(async () => {
      client = await turn.client({ transport });
    });

    it("tells the client its address", async () => {
      const reply = await client.binding();
      expect(xorAddressOf(reply, Attribute.xorMappedAddress).port).toBe(client.localPort);
    });

    it("relays by Send and Data indications, the peer seeing the relayed address", async () => {
      const allocated = await client.allocate();
      expect([allocated.code, allocated.sealed]).toEqual(["success", true]);
      expect((await client.createPermission(peer.address)).code).toBe("success");
      client.sendTo(peer.address, DATA);
      const [answer] = await client.receive(1);
      expect(answer).toMatchObject({ data: DATA, channel: null });
      expect(answer?.peer?.equals(peer.address)).toBe(true);
      expect(peer.latestSource?.equals(relayedAddress(allocated))).toBe(true);
    });

    it("relays by channels, with data of every length modulo four", async () => {
      await client.allocate();
      expect((await client.channelBind(0x4001, peer.address)).code).toBe("success");
      const packets = [0, 1, 2, 3, 4, 5, 1_199, 1_200].map((length) => Buffer.alloc(length, length));
      for (const [index, packet] of packets.entries()) {
        client.sendChannel(0x4001, packet);
        await client.receive(index + 1);
      }
      expect(client.received.map(({ channel, data }) => [channel, data])).toEqual(
        packets.map((data) => [0x4001, data]),
      );
    });
  });

  it("relays to IPv6 peers from an IPv6 relayed address", async () => {
    const peer6 = await startPeer(true, "::1");
    const client = await turn.client();
    const allocated = await client.allocate((writer) => writer.u32(Attribute.requestedAddressFamily, 0x02000000));
    expect(relayedAddress(allocated).host).toBe("::1");
    await client.channelBind(0x4000, peer6.address);
    client.sendChannel(0x4000, DATA);
    expect((await client.receive(1))[0]?.data).toEqual(DATA);
    client.sendTo(peer6.address, DATA);
    await client.receive(2);
    await peer6.close();
  });

  it("serves both families from one allocation when the client asks for the additional one", async () => {
    const peer6 = await startPeer(true, "::1");
    const client = await turn.client();
    const allocated = await client.allocate((writer) => writer.u32(Attribute.additionalAddressFamily, 0x02000000));
    expect([relayedAddress(allocated, 0).host, relayedAddress(allocated, 1).host]).toEqual(["127.0.0.1", "::1"]);
    await client.createPermission(peer.address, peer6.address);
    client.sendTo(peer.address, Buffer.from("four"));
    client.sendTo(peer6.address, Buffer.from("six"));
    const answers = await client.receive(2);
    expect(answers.map(({ data }) => data.toString()).sort()).toEqual(["four", "six"]);
    await peer6.close();
  });

  it("connects two of its own clients through both their relayed addresses, on any mix of transports", async () => {
    const alice = await turn.client({ transport: "tcp" });
    const bob = await turn.client({ login: turn.login("bob") });
    const aliceAt = relayedAddress(await alice.allocate());
    const bobAt = relayedAddress(await bob.allocate());
    await alice.channelBind(0x4000, bobAt);
    await bob.createPermission(aliceAt);
    for (const text of ["one", "two, which is longer"]) alice.sendChannel(0x4000, Buffer.from(text));
    const atBob = await bob.receive(2);
    expect(atBob.map(({ data }) => data.toString())).toEqual(["one", "two, which is longer"]);
    expect(atBob[0]?.peer?.equals(aliceAt)).toBe(true);
    bob.sendTo(aliceAt, DATA);
    expect((await alice.receive(1))[0]).toMatchObject({ channel: 0x4000, data: DATA });
  });

  it("keeps a burst of packets in order and loses none", async () => {
    const client = await turn.client();
    await client.allocate();
    await client.channelBind(0x4000, peer.address);
    for (let index = 0; index < 200; index++) client.sendChannel(0x4000, Buffer.from(String(index)));
    const answers = await client.receive(200);
    expect(answers.map(({ data }) => Number(data))).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });

  it("closes the relayed port with the allocation, and frees it on any end of a stream", async () => {
    const client = await turn.client({ transport: "tcp" });
    const relayed = relayedAddress(await client.allocate());
    await client.createPermission(peer.address);
    await client.close();
    await expect.poll(() => turn.server.stats().allocations).toBe(0);
    const again = await startPeerAt(relayed.port);
    await again.close();
  });
});

async function startPeerAt(port: number) {
  const { createSocket } = await import("node:dgram");
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, "127.0.0.1", resolve);
  });
  return { close: () => new Promise<void>((resolve) => socket.close(() => resolve())) };
}
