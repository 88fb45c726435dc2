/** A client in a network that lets nobody out but through an HTTP proxy. */
import { createServer, type Server } from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

let network: TestNetwork;
let proxy: Server;
let client: HeadlessClient | null;
/** What the proxy was asked to connect to. */
const asked: string[] = [];
let refusal: number | null;
const opened = new Set<net.Socket>();

beforeEach(async () => {
  network = await TestNetwork.start(2);
  client = null;
  refusal = null;
  asked.length = 0;
  proxy = createServer((_request, response) => response.writeHead(405).end());
  proxy.on("connect", (request, inside: net.Socket) => {
    asked.push(request.url ?? "");
    opened.add(inside);
    inside.on("error", () => {});
    if (refusal !== null) {
      inside.end(`HTTP/1.1 ${refusal} No\r\n\r\n`);
      return;
    }
    const outside = net.connect(Number(request.url?.split(":")[1]), "127.0.0.1", () => {
      inside.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      inside.pipe(outside).pipe(inside);
    });
    outside.on("error", () => inside.destroy()).on("close", () => inside.destroy());
    inside.on("close", () => outside.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await client?.close();
  for (const socket of opened) socket.destroy();
  await new Promise((resolve) => proxy.close(resolve));
  await network.close();
});

const address = () => `127.0.0.1:${(proxy.address() as AddressInfo).port}`;

test("attaches to its supernodes through the proxy that the system names, pinned as ever", async () => {
  const asks: string[] = [];
  client = await HeadlessClient.signedUp(network.loginServer.url, "alice", {
    findProxy: async (url) => {
      asks.push(url);
      return `PROXY ${address()}; DIRECT`;
    },
  });
  const supernodes = network.supernodes.map(({ port }) => `127.0.0.1:${port}`);
  await until(() => asked.length >= 2);
  expect(new Set(asked)).toEqual(new Set(supernodes));
  expect(asks.every((url) => url.startsWith("https://"))).toBe(true);
  expect(client.me.attached).toBe(true);
});

test("goes no other way when the proxy refuses, and says that no supernode can be reached", async () => {
  refusal = 403;
  client = await HeadlessClient.open(network.loginServer.url, { findProxy: async () => `PROXY ${address()}` });
  const alice = client;
  await alice.signUp("alice");
  await alice.until(() => asked.length >= 2 && troubled(alice), "told");
  expect(alice.me.attached).toBe(false);
});

function troubled({ session }: HeadlessClient): boolean {
  return session.phase === "signed-in" && session.notices.some(({ code }) => code === "supernode-unreachable");
}
