/** Several instances of one login server: a PostgreSQL and a Redis between them. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { ADMIN_API } from "../../login-server/administration/admin-api.ts";
import type { LoginServer, LoginServerOptions } from "../../login-server/server.ts";
import { firstChain } from "../../protocol/network-key-chain.ts";
import { NetworkTrust } from "../../protocol/network-trust.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import { askAdmin } from "../support/admin-client.ts";
import {
  codeOf,
  enrol,
  handle,
  login,
  loginProof,
  loginStart,
  networkIdAt,
  newDeviceId,
  newSupernode,
  post,
  register,
} from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { newDatabase } from "../support/postgres-server.ts";
import { type RedisServer, startRedis, whyNoRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const NEVER_MS = 3_600_000;
const servers = loginServers();
let redis: RedisServer;
let missing: string | null;

beforeAll(async () => {
  missing = await whyNoRedis();
  if (missing === null) redis = await startRedis();
});
beforeEach((context) => {
  if (missing !== null) context.skip(missing);
});
afterAll(() => redis?.kill());

/** Two instances that only tell each other of changes, unless `more` says how often they look; and the first one's folder. */
async function twoInstances(more: Partial<LoginServerOptions> = {}): Promise<[LoginServer, LoginServer, string]> {
  const base = inject("database");
  if (base?.kind !== "postgres") throw new Error("no PostgreSQL");
  const shared = { database: await newDatabase(base.url), redis: redis.url, catchUpIntervalMs: NEVER_MS, ...more };
  const [dataFolder, otherFolder] = [servers.folder(), servers.folder()];
  const first = await servers.start({ dataFolder, ...shared });
  copyFileSync(join(dataFolder, "network-keys.json"), join(otherFolder, "network-keys.json"));
  const second = await servers.start({ dataFolder: otherFolder, ...shared });
  expect(second.networkId).toBe(first.networkId);
  // Both listen to Redis once something that one tells is heard at the other.
  const probe = await register(first.url, "probe");
  for (const [here, there] of [
    [first, second],
    [second, first],
  ] as const) {
    await until(async () => {
      const older = await servers.open(there.url, probe);
      await servers.open(here.url, probe);
      return until(() => !older.socket.connected, 1_000).then(
        () => true,
        () => false,
      );
    }, 60_000);
  }
  return [first, second, dataFolder];
}

test("what happens at one instance reaches devices that are connected to the other", async () => {
  const [first, second] = await twoInstances();
  const alice = await register(first.url, "alice");
  const bob = await register(second.url, "bob");
  const atAlice = await servers.open(first.url, alice);
  const atBob = await servers.open(second.url, bob);

  await atAlice.call("requestBuddy", { handle: handle("bob"), greeting: "It is me" });
  const request = await atBob.pushed("buddies");
  expect(request.entries).toEqual([expect.objectContaining({ userId: alice.userId, state: "asks-me" })]);
  await atBob.call("acceptBuddy", { userId: alice.userId });
  await atAlice.pushed("buddies", ({ entries }) => entries.some(({ state }) => state === "buddy"));

  const laptop = await login(second.url, "alice", alice.password);
  const atLaptop = await servers.open(second.url, laptop);
  await atAlice.call("signOutDevice", { deviceId: laptop.deviceId });
  await atLaptop.pushed("signedOut");
  await atLaptop.closed();

  await enrol(first.url, newSupernode(5_001), first.enrolmentToken);
  await atBob.pushed("supernodes");
  const lists = await Promise.all([first, second].map(async ({ url }) => (await fetch(`${url}/v1/supernodes`)).json()));
  expect(lists[1]).toEqual(lists[0]);
});

test("a device that comes to the other instance leaves the first one", async () => {
  const [first, second] = await twoInstances();
  const alice = await register(first.url, "alice");
  const older = await servers.open(first.url, alice);
  const newer = await servers.open(second.url, alice);
  await older.closed();
  expect(await newer.call("syncBuddies", { since: 0 })).toMatchObject({ entries: [] });
});

test("a login begun at one instance ends at the other, once", async () => {
  const [first, second] = await twoInstances();
  const alice = await register(first.url, "alice");
  const start = await loginStart(first.url, "alice", alice.password);
  const request = loginProof(start, alice.password)?.finishLoginRequest;
  const body = { attempt: start.answer.body.attempt, request, deviceId: newDeviceId(), deviceName: "another" };
  expect(codeOf(await post(second.url, "/v1/login/finish", body))).toBe("ok");
  for (const { url } of [first, second]) {
    expect(codeOf(await post(url, "/v1/login/finish", body))).toBe("login-attempt-over");
  }
});

test("guesses at one instance count at the other", async () => {
  const rates = { login: { burst: 4, perSecond: 0.001 } };
  const [first, second] = await twoInstances({ rates });
  const guess = async (url: string) => codeOf((await loginStart(url, "alice", "a guess")).answer);
  for (let count = 0; count < 4; count++) expect(await guess(first.url)).toBe("ok");
  let passed = 0;
  await until(async () => {
    await setTimeout(500);
    const answer = await guess(second.url);
    if (answer === "ok") passed++;
    return answer === "rate-limited";
  });
  // By itself it would have let four pass.
  expect(passed).toBeLessThan(4);
});

test("a new key of the network that one instance makes signs at the other too, without its keys file", async () => {
  const [first, second, dataFolder] = await twoInstances();
  const change = { reason: "planned", noticeMs: 0, overlapMs: 60_000, endOverlap: false } as const;
  const atSecond = await servers.open(second.url, await register(second.url, "alice"));
  await askAdmin(dataFolder, ADMIN_API.rotateNetworkKey, change);
  const { successions } = await atSecond.pushed("networkKeys");
  const trust = new NetworkTrust(firstChain(first.networkKey), Date.now);
  trust.take(Uint8Array.from(successions));
  for (const { url } of [first, second]) {
    const { certificate } = await register(url, `bob-${new URL(url).port}`);
    expect(trustUserCertificate(trust.anchor, certificate).value.issuedAt).toBeGreaterThanOrEqual(
      trust.chain.successions[0]?.value.from ?? Number.POSITIVE_INFINITY,
    );
  }
});

test("while Redis is away everything works at each instance, and its return brings what the others did", async () => {
  const [first, second] = await twoInstances();
  const alice = await register(first.url, "alice");
  const bob = await register(second.url, "bob");
  const atAlice = await servers.open(first.url, alice);
  const atBob = await servers.open(second.url, bob);
  await redis.kill();
  try {
    await atAlice.call("requestBuddy", { handle: handle("bob"), greeting: "" });
    const carol = await register(second.url, "carol");
    expect((await login(first.url, "carol", carol.password)).userId).toBe(carol.userId);
    expect((await fetch(`${first.url}/ready`)).status).toBe(200);
    expect(atBob.pushes("buddies")).toEqual([]);
  } finally {
    await redis.revive();
  }
  await atBob.pushed("buddies", ({ entries }) => entries.some(({ userId }) => userId === alice.userId));
  await atBob.call("acceptBuddy", { userId: alice.userId });
  await atAlice.pushed("buddies", ({ entries }) => entries.some(({ state }) => state === "buddy"));
});

test("without any news an instance finds out by itself what the other one did", async () => {
  const [first, second] = await twoInstances({ catchUpIntervalMs: 500 });
  const alice = await register(first.url, "alice");
  const bob = await register(second.url, "bob");
  const laptop = await login(second.url, "alice", alice.password);
  const atAlice = await servers.open(first.url, alice);
  const atBob = await servers.open(second.url, bob);
  const atLaptop = await servers.open(second.url, laptop);
  await redis.kill();
  try {
    await atAlice.call("requestBuddy", { handle: handle("bob"), greeting: "" });
    await atBob.pushed("buddies");
    await atAlice.call("signOutDevice", { deviceId: laptop.deviceId });
    await atLaptop.pushed("signedOut");
    await enrol(first.url, newSupernode(5_001), first.enrolmentToken);
    await atBob.pushed("supernodes");
  } finally {
    await redis.revive();
  }
});

test("an instance without the network's keys is refused, and does not become another network", async () => {
  const [first] = await twoInstances();
  const base = inject("database");
  if (base?.kind !== "postgres") throw new Error("no PostgreSQL");
  const database = await newDatabase(base.url);
  const owner = await servers.start({ database });
  await expect(servers.start({ database })).rejects.toMatchObject({ code: "data-missing" });
  expect(await networkIdAt(owner.url)).toBe(owner.networkId);
  expect(first.networkId).not.toBe(owner.networkId);
});
