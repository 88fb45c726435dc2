/** A call goes on while somebody attacks: not one of its packets may be lost, and nothing may pile up. */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StunMethod } from "../../relay/turn/stun-attributes.ts";
import type { TransportAddress } from "../../relay/turn/transport-address.ts";
import type { Refusal } from "../../relay/turn/turn-counters.ts";
import { relayedAddress, TurnClient } from "../support/turn-client.ts";
import { type EchoPeer, startPeer, startTestTurnServer, type TestTurnServer } from "../support/turn-test-server.ts";

/** 50 packets a second, as Opus sends them, while each attack lasts. */
const CALL_PACKETS = 60;
const CALL_INTERVAL_MS = 20;
/** 10,000 packets a second. */
const FLOOD_BURST = 100;
const FLOOD_INTERVAL_MS = 10;

interface Attack {
  /** Does its worst once; called again and again. */
  strike(): void;
  end(): Promise<void>;
}

let turn: TestTurnServer;
let peer: EchoPeer;
let caller: TurnClient;
let relayed: TransportAddress;

beforeEach(async () => {
  turn = await startTestTurnServer({
    quotas: { perUser: { allocations: 3, bytesPerSecond: 100_000, bytesPerMonth: Number.POSITIVE_INFINITY } },
  });
  peer = await startPeer();
  caller = await turn.client();
  relayed = relayedAddress(await caller.allocate());
  await caller.channelBind(0x4000, peer.address);
});

afterEach(async () => {
  await peer.close();
  await turn.close();
  expect(turn.errors).toEqual([]);
});

/** At an address of its own: permissions are for addresses. */
async function attackerSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.66", resolve));
  return socket;
}

/** Datagrams to one address, made anew each time. */
async function flood(to: () => TransportAddress | number, make: () => Uint8Array): Promise<Attack> {
  const socket = await attackerSocket();
  return {
    strike() {
      const target = to();
      const port = typeof target === "number" ? target : target.port;
      for (let index = 0; index < FLOOD_BURST; index++) socket.send(make(), port, "127.0.0.1");
    },
    end: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

const stranger = () =>
  flood(
    () => relayed,
    () => randomBytes(160),
  );
const noise = () =>
  flood(
    () => turn.udpPort,
    () => randomBytes(60),
  );
const channelData = () =>
  flood(
    () => turn.udpPort,
    () => Buffer.concat([Buffer.from([0x40, 0, 0, 100]), randomBytes(100)]),
  );
const bindings = () =>
  flood(
    () => turn.udpPort,
    () => stun(StunMethod.binding),
  );
const allocations = () =>
  flood(
    () => turn.udpPort,
    () => stun(StunMethod.allocate),
  );

function stun(method: number): Buffer {
  const message = Buffer.alloc(20);
  message.writeUInt16BE(method, 0);
  message.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(message, 8);
  return message;
}

/** Real users, each taking whatever it can get. */
async function greedyUsers(): Promise<Attack> {
  const clients: TurnClient[] = [];
  let pending = 0;
  return {
    strike() {
      if (pending >= 4) return;
      pending++;
      void (async () => {
        const login = turn.login(`greedy${clients.length % 3}`);
        const client = await TurnClient.open({ server: { host: "127.0.0.1", port: turn.udpPort }, login });
        clients.push(client);
        await client.allocate().catch(() => null);
        pending--;
      })();
    },
    async end() {
      await expect.poll(() => pending, { timeout: 5_000 }).toBe(0);
      for (const client of clients) await client.close();
    },
  };
}

/** A certified user who sends forty times what users may. */
async function heavyUser(): Promise<Attack> {
  const sink = await startPeer(false);
  const client = await turn.client({ login: turn.login("heavy") });
  await client.allocate();
  await client.channelBind(0x4000, sink.address);
  return {
    strike() {
      for (let index = 0; index < FLOOD_BURST / 2; index++) client.sendChannel(0x4000, Buffer.alloc(800));
    },
    end: () => sink.close(),
  };
}

/** Connections that begin a message and never end it. */
async function slowSenders(): Promise<Attack> {
  const sockets = Array.from({ length: 60 }, () => connect(turn.tcpPort, "127.0.0.1").on("error", () => {}));
  for (const socket of sockets) socket.write(Buffer.from([0, 3, 0, 100]));
  return {
    strike() {
      turn.pass(300);
      for (const socket of sockets) if (!socket.destroyed) socket.write(Buffer.of(0));
    },
    async end() {
      for (const socket of sockets) socket.destroy();
      await expect.poll(() => turn.server.stats().streamClients).toBe(0);
    },
  };
}

/** Sends a call's packets at their pace. @returns how many came back from the peer through the relay */
async function call(): Promise<number> {
  const before = caller.received.length;
  for (let index = 0; index < CALL_PACKETS; index++) {
    caller.sendChannel(0x4000, Buffer.alloc(120, index));
    await new Promise((resolve) => setTimeout(resolve, CALL_INTERVAL_MS));
  }
  await caller.receive(before + CALL_PACKETS).catch(() => null);
  return caller.received.length - before;
}

describe("a call loses no packet while", () => {
  const attacks: [string, () => Promise<Attack>, Refusal, number][] = [
    ["a stranger floods its relayed port", stranger, "no-permission", 5_000],
    ["noise floods the server", noise, "malformed", 2_000],
    ["ChannelData floods it from nowhere", channelData, "no-allocation", 5_000],
    ["Binding requests flood it", bindings, "unauthenticated-rate", 3_000],
    ["Allocate requests flood it from one address", allocations, "unauthenticated-rate", 3_000],
    ["users allocate without end", greedyUsers, "user-allocations", 5],
    ["a user sends far more than it may", heavyUser, "user-bandwidth", 1_000],
    ["TCP clients send a byte now and then", slowSenders, "tcp-slow", 60],
  ];

  it.each(attacks)("%s", async (_, begin, refusal, atLeast) => {
    const attack = await begin();
    const residentBefore = process.memoryUsage().rss;
    const timer = setInterval(() => attack.strike(), FLOOD_INTERVAL_MS);
    const received = await call();
    clearInterval(timer);
    const stats = turn.server.stats();
    await attack.end();
    expect(received).toBe(CALL_PACKETS);
    expect(stats.refused[refusal]).toBeGreaterThanOrEqual(atLeast);
    expect(stats.allocations).toBeLessThanOrEqual(10);
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(64 * 1024 * 1024);
  });
});

it("what a forged address is sent is less than a small stream", async () => {
  const victim = await attackerSocket();
  let bytes = 0;
  victim.on("message", (message) => {
    bytes += message.length;
  });
  for (let burst = 0; burst < 100; burst++) {
    for (let index = 0; index < 50; index++) victim.send(stun(StunMethod.allocate), turn.udpPort, "127.0.0.1");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // 200 answers at once and 50 a second after that, of at most 100 bytes.
  expect(bytes).toBeLessThanOrEqual((200 + 50 * 3) * 100);
  expect(bytes).toBeGreaterThan(0);
  await new Promise<void>((resolve) => victim.close(() => resolve()));
});
