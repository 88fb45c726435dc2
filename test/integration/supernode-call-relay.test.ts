/** Calls relayed by a supernode: who gets a credential, where it works, and what it may use. */
import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { RelayCredentials } from "../../protocol/supernode-api.ts";
import { startSupernode } from "../../relay/supernode.ts";
import { DEFAULT_CALL_RELAY, type RelayingChoice } from "../../relay/turn/call-relay-options.ts";
import { issueTurnCredential } from "../../relay/turn/turn-credential.ts";
import { freePort } from "../../scripts/free-port.ts";
import { connectRaw, TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestNetwork, type TestSupernode } from "../support/test-network.ts";
import { TurnClient } from "../support/turn-client.ts";
import { type EchoPeer, startPeer } from "../support/turn-test-server.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const own = (options: Partial<typeof DEFAULT_CALL_RELAY> = {}): RelayingChoice => ({
  kind: "own",
  options: { ...DEFAULT_CALL_RELAY, allowedPeers: ["127.0.0.0/8"], ports: { min: 20_000, max: 60_000 }, ...options },
});

let network: TestNetwork;
let supernode: TestSupernode;
let peer: EchoPeer;
const cleanUps: (() => unknown)[] = [];

beforeAll(async () => {
  network = await TestNetwork.start(0);
  supernode = await network.add({ relaying: own() });
  peer = await startPeer();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(async () => {
  await peer.close();
  await network.close();
});

async function credentialsOf(at: TestSupernode = supernode, device = network.authority.device()) {
  const node = await TestNode.attach(at.certificate, device);
  cleanUps.push(() => node.close());
  return { node, ...RelayCredentials.parse(await node.call("relayCredentials", {})) };
}

type Transport = "udp" | "tcp" | "tls";
async function turnClient(at: TestSupernode, login: { username: string; credential: string }, transport: Transport) {
  const client = await TurnClient.open({
    server: { host: at.host, port: at.port },
    login: { username: login.username, password: login.credential },
    transport,
  });
  cleanUps.push(() => client.close());
  return client;
}

async function echo(client: TurnClient, text: string): Promise<string | undefined> {
  expect((await client.allocate()).code).toBe("success");
  expect((await client.channelBind(0x4000, peer.address)).code).toBe("success");
  client.sendChannel(0x4000, Buffer.from(text));
  const [answer] = await client.receive(1);
  return answer?.data.toString();
}

describe("a credential", () => {
  it("is given to who is attached, names the user, and lasts an hour at most", async () => {
    const { node, username, urls, expiresAt } = await credentialsOf();
    expect(username).toBe(`${expiresAt / 1_000}:${node.userId}`);
    expect(expiresAt - Date.now()).toBeGreaterThan(HOUR_MS - 60_000);
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(HOUR_MS);
    const at = `${supernode.host}:${supernode.port}`;
    expect(urls).toEqual([`stun:${at}`, `turn:${at}?transport=udp`, `turn:${at}?transport=tcp`]);
  });

  it("is refused to who has not proved anything, and to who has left", async () => {
    const { socket, call } = await connectRaw(supernode.certificate);
    cleanUps.push(() => socket.disconnect());
    expect(await codeOf(call("relayCredentials", {}))).toBe("not-authenticated");
    const device = network.authority.device();
    const { node } = await credentialsOf(supernode, device);
    const leaving = node.call("detach", {});
    expect(await codeOf(node.call("relayCredentials", {}))).toBe("not-attached");
    await leaving;
  });

  it("is another one for another user, and does not do for the other's name", async () => {
    const alice = await credentialsOf();
    const bob = await credentialsOf(supernode, network.authority.device({ seed: new Uint8Array(32).fill(3) }));
    expect(alice.credential).not.toBe(bob.credential);
    const client = await turnClient(supernode, { username: alice.username, credential: bob.credential }, "udp");
    expect((await client.allocate()).code).toBe(401);
  });

  it("is of no use once it has expired", async () => {
    const { node } = await credentialsOf();
    const secret = readFileSync(join(supernode.dataFolder, "turn-secret"), "utf8").trim();
    const { username, password } = issueTurnCredential(secret, node.userId, Date.now() - HOUR_MS - 1_000);
    const client = await turnClient(supernode, { username, credential: password }, "udp");
    expect((await client.allocate()).code).toBe(401);
  });
});

describe("the one port", () => {
  it.each(["udp", "tcp", "tls"] as const)("carries TURN over %s beside the WebSocket", async (transport) => {
    const { node, ...login } = await credentialsOf();
    const client = await turnClient(supernode, login, transport);
    expect(await echo(client, `over ${transport}`)).toBe(`over ${transport}`);
    // The socket of the same port is as it was.
    await node.call("lookUp", { userId: node.userId });
    expect(supernode.relayed()?.allocations).toBeGreaterThan(0);
  });

  it("closes a TLS connection that speaks neither HTTP nor TURN", async () => {
    const socket = tls.connect({ host: supernode.host, port: supernode.port, rejectUnauthorized: false });
    cleanUps.push(() => socket.destroy());
    await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.resume();
    socket.write(Buffer.from([0xff, 1, 2, 3]));
    await closed;
  });

  it("moves to a number whose UDP port is free as well, unless the operator has asked for that number", async () => {
    const former = await network.add({ relaying: own() });
    await former.close();
    const taken = createSocket("udp4");
    await new Promise<void>((resolve) => taken.bind(former.port, "127.0.0.1", resolve));
    cleanUps.push(() => taken.close());
    const { dataFolder } = former;
    expect(await codeOf(startSupernode(network.options({ dataFolder, relaying: own(), port: former.port })))).toBe(
      "port-in-use",
    );
    expect(await codeOf(startSupernode(network.options({ relaying: own({ udpPort: former.port }) })))).toBe(
      "port-in-use",
    );
    const moved = await network.add({ dataFolder, relaying: own() });
    expect(moved.supernodeId).toBe(former.supernodeId);
    expect(moved.port).not.toBe(former.port);
    const { urls, ...login } = await credentialsOf(moved);
    expect(urls[1]).toBe(`turn:127.0.0.1:${moved.port}?transport=udp`);
    const client = await TurnClient.open({
      server: { host: "127.0.0.1", port: moved.port },
      login: { username: login.username, password: login.credential },
    });
    cleanUps.push(() => client.close());
    expect((await client.allocate()).code).toBe("success");
  });

  it("keeps its own number for the gossip where calls are relayed on another one", async () => {
    const udpPort = await freePort();
    const apart = await network.add({ relaying: own({ udpPort }) });
    expect(apart.stage()).toEqual({ kind: "member" });
    const { urls } = await credentialsOf(apart);
    expect(urls[1]).toBe(`turn:127.0.0.1:${udpPort}?transport=udp`);
  });
});

describe("a peer on this machine", () => {
  it("is refused unless the operator allows it", async () => {
    const strict = await network.add({ relaying: own({ allowedPeers: [] }) });
    const { node: _, ...login } = await credentialsOf(strict);
    const client = await turnClient(strict, login, "udp");
    expect((await client.allocate()).code).toBe("success");
    expect((await client.channelBind(0x4000, peer.address)).code).toBe(403);
  });
});

describe("a quota", () => {
  it("of allocations holds for each user, whatever number of sockets they use", async () => {
    const narrow = await network.add({ relaying: own({ perUser: { allocations: 2 } }) });
    const { node: _, ...login } = await credentialsOf(narrow);
    const codes: (number | string)[] = [];
    for (const transport of ["udp", "tcp", "udp"] as const) {
      codes.push((await (await turnClient(narrow, login, transport)).allocate()).code);
    }
    expect(codes).toEqual(["success", "success", 486]);
    // Somebody else is not concerned.
    const { node: __, ...other } = await credentialsOf(
      narrow,
      network.authority.device({ seed: new Uint8Array(32).fill(4) }),
    );
    expect((await (await turnClient(narrow, other, "udp")).allocate()).code).toBe("success");
  });

  it("of a month's volume ends relaying when it is used up, and a restart does not refill it", async () => {
    const total = { bytesPerMonth: 1_000 };
    const options = { relaying: own({ total }), dataFolder: network.folder() };
    const first = await network.add(options);
    const { node: _, ...login } = await credentialsOf(first);
    const client = await turnClient(first, login, "udp");
    expect(await echo(client, "x".repeat(300))).toBe("x".repeat(300));
    expect(first.relayed()?.bytesThisMonth).toBe(600);
    await first.close();

    const file = join(options.dataFolder, "relayed-volumes.json");
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ volumes: { total: 600 } });
    const again = await network.add({ ...options, port: first.port });
    expect(again.relayed()?.bytesThisMonth).toBe(600);
    const { node: __, ...second } = await credentialsOf(again);
    const late = await turnClient(again, second, "udp");
    expect((await late.allocate()).code).toBe("success");
    expect((await late.channelBind(0x4000, peer.address)).code).toBe("success");
    for (let count = 0; count < 3; count++) late.sendChannel(0x4000, Buffer.alloc(300, "y"));
    await until(() => (again.relayed()?.refused["total-volume"] ?? 0) >= 2);
    expect(again.relayed()?.bytesThisMonth).toBeLessThanOrEqual(1_000);
  });

  it("of a month is not guessed from a damaged file", async () => {
    const dataFolder = network.folder();
    const file = join(dataFolder, "relayed-volumes.json");
    writeFileSync(file, '{"version":1,"month":');
    expect(await codeOf(startSupernode(network.options({ dataFolder, relaying: own() })))).toBe("data-corrupt");
    expect(readFileSync(file, "utf8")).toBe('{"version":1,"month":');
    writeFileSync(file, '{"version":2}');
    expect(await codeOf(startSupernode(network.options({ dataFolder, relaying: own() })))).toBe("data-newer");
  });
});

describe("another TURN server, or none", () => {
  it("relays with the operator's secret: its URLs are told, and nothing is listened on here", async () => {
    const secret = "a secret shared with coturn";
    const urls = ["turn:turn.example.org:443?transport=tcp"];
    const outsourced = await network.add({ relaying: { kind: "external", turn: { urls, secret } } });
    const { createHmac } = await import("node:crypto");
    const told = await credentialsOf(outsourced);
    expect(told.urls).toEqual(urls);
    expect(told.credential).toBe(createHmac("sha1", secret).update(told.username).digest("base64"));
    expect(outsourced.relayed()).toBeNull();
  });

  it("is none where relaying is off", async () => {
    const off = await network.add({ relaying: { kind: "off" } });
    expect((await credentialsOf(off)).urls).toEqual([]);
  });
});
