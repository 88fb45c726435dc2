/** What TCP clients can do to the server, and what it lets them. */
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UNLIMITED } from "../../relay/turn/relay-quota.ts";
import { StunMethod } from "../../relay/turn/stun-attributes.ts";
import type { TurnClient } from "../support/turn-client.ts";
import { type EchoPeer, startPeer, startTestTurnServer, type TestTurnServer } from "../support/turn-test-server.ts";

let turn: TestTurnServer;
let peer: EchoPeer;

describe.each(["portable", "batched"] as const)("on the %s path", (udp) => {
  beforeEach(async () => {
    turn = await startTestTurnServer({
      udp,
      streamLimits: { connections: 20, connectionsPerSource: 10 },
      quotas: { total: UNLIMITED, perUser: UNLIMITED, perSource: UNLIMITED },
    });
    peer = await startPeer();
  });

  afterEach(async () => {
    await peer.close();
    await turn.close();
    expect(turn.errors).toEqual([]);
  });

  async function boundClient(): Promise<TurnClient> {
    const client = await turn.client({ transport: "tcp" });
    expect((await client.allocate()).code).toBe("success");
    expect((await client.channelBind(0x4000, peer.address)).code).toBe("success");
    return client;
  }

  async function stranger(): Promise<Socket & { readonly ended: Promise<void> }> {
    const socket = connect(turn.tcpPort, "127.0.0.1");
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.on("error", () => {});
    socket.resume();
    return Object.assign(socket, { ended: new Promise<void>((resolve) => socket.once("close", () => resolve())) });
  }

  /** Real time, for the server's timers and sockets. */
  const passing = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const refused = () => turn.server.stats().refused;

  describe("messages in a stream", () => {
    it("are found however the stream is cut, one byte at a time included", async () => {
      const client = await boundClient();
      const frame = Buffer.concat([Buffer.from([0x40, 0, 0, 5]), Buffer.from("cut-a"), Buffer.alloc(3)]);
      const request = client.unsealed(StunMethod.binding);
      for (const byte of Buffer.concat([frame, request, frame])) client.sendRaw(Buffer.of(byte));
      const answers = await client.receive(2);
      expect(answers.map(({ data }) => data.toString())).toEqual(["cut-a", "cut-a"]);
    });

    it("are found when a hundred of them come at once, with the beginning of another", async () => {
      const client = await boundClient();
      const frame = Buffer.concat([Buffer.from([0x40, 0, 0, 101]), Buffer.alloc(101, "x"), Buffer.alloc(3)]);
      const many = Buffer.concat(Array.from({ length: 100 }, () => frame));
      client.sendRaw(Buffer.concat([many, frame.subarray(0, 50)]));
      await client.receive(100);
      client.sendRaw(frame.subarray(50));
      expect(await client.receive(101)).toHaveLength(101);
    });
  });

  describe("a connection is closed", () => {
    it("at a header that claims 64 kB, before any of it has been waited for", async () => {
      const client = await boundClient();
      client.sendRaw(Buffer.of(0x40, 0, 0xff, 0xff));
      await client.closed;
      expect(refused()["tcp-frame"]).toBe(1);
      await expect.poll(() => turn.server.stats().allocations).toBe(0);
    });

    it.each<[string, number[]]>([
      ["HTTP", [...Buffer.from("GET / HTTP/1.1\r\n\r\n")]],
      ["TLS", [0x16, 3, 1, 2, 0]],
      ["a STUN message of odd length", [0, 1, 0, 3]],
      ["a STUN message that is too long for a stranger", [0, 3, 0x10, 0]],
      ["0xff", [0xff, 0xff, 0xff, 0xff]],
    ])("when a stranger begins with %s", async (_, bytes) => {
      const socket = await stranger();
      socket.write(Buffer.from(bytes));
      await socket.ended;
      expect(refused()["tcp-frame"]).toBe(1);
    });

    it("when a stranger has made no allocation in 20 s, whatever else it did", async () => {
      const socket = await stranger();
      const client = await turn.client({ transport: "tcp" });
      await client.binding();
      turn.pass(20_001);
      await Promise.all([socket.ended, client.closed]);
      expect(refused()["tcp-idle"]).toBe(2);
      await expect.poll(() => turn.server.stats().streamClients).toBe(0);
    });

    it("when a message has not come to its end in 10 s, though its bytes keep coming", async () => {
      const client = await boundClient();
      client.sendRaw(Buffer.of(0x40, 0, 0, 200));
      for (let second = 0; second < 5; second++) {
        await passing(10);
        turn.pass(1_000);
        client.sendRaw(Buffer.of(1));
      }
      await passing(1_200);
      expect(turn.server.stats().streamClients).toBe(1);
      turn.pass(5_000);
      await client.closed;
      expect(refused()["tcp-slow"]).toBe(1);
      await expect.poll(() => turn.server.stats().allocations).toBe(0);
    });

    it("when its allocation has ended and it makes no other in 20 s", async () => {
      const client = await boundClient();
      turn.pass(300_000);
      await client.refresh(0);
      turn.pass(12_000);
      await passing(1_200);
      expect(turn.server.stats().streamClients).toBe(1);
      turn.pass(8_000);
      await client.closed;
      expect(refused()["tcp-idle"]).toBe(1);
    });
  });

  it("a source gets its share of the connections and no more, and room comes back", async () => {
    const sockets = await Promise.all(Array.from({ length: 12 }, () => stranger()));
    await Promise.race(sockets.map((socket) => socket.ended));
    await expect.poll(() => refused()["tcp-connections"]).toBe(2);
    expect(turn.server.stats().streamClients).toBe(10);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => turn.server.stats().streamClients).toBe(0);
    const client = await turn.client({ transport: "tcp" });
    expect((await client.binding()).code).toBe("success");
  });

  it("a client that does not read loses packets, which do not pile up in memory, and others are served", async () => {
    const reader = await boundClient();
    const relayed = peer.address.clone();
    reader.sendChannel(0x4000, Buffer.from("where am I"));
    await expect.poll(() => peer.latestSource).not.toBeNull();
    relayed.copyFrom(peer.latestSource ?? relayed);
    reader.pause();
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const memory = () => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    const before = memory();
    const packet = Buffer.alloc(8_000, "x");
    // 64 MB, several times what the kernel's buffers hold.
    for (let round = 0; round < 400; round++) {
      for (let index = 0; index < 20; index++) peer.send(packet, relayed);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => refused()["tcp-backlog"], { timeout: 30_000 }).toBeGreaterThan(100);
    // What the peer has sent and the relay has not looked at yet is no backlog of the client's.
    await expect.poll(() => memory() - before, { timeout: 30_000 }).toBeLessThan(4 * 1024 * 1024);
    expect((await (await turn.client()).binding()).code).toBe("success");
  });
});
