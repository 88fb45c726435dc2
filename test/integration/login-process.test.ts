import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import { trustSupernodeList } from "../../protocol/trust.ts";
import {
  bytesOf,
  codeOf,
  enrol,
  get,
  login,
  networkIdAt,
  newSupernode,
  newUser,
  post,
  register,
  registrationBody,
  type TestUser,
} from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { buildLoginServer, endLoginServers, spawnLoginServer } from "../support/login-server-process.ts";
import { SmallDisk, whyNoSmallDisk } from "../support/small-disk.ts";

const servers = loginServers();
const TOKEN = "a token drawn at random";

beforeAll(buildLoginServer, 60_000);
afterEach(endLoginServers);

const argsFor = (folder: string, ...more: string[]) => [
  "--data",
  folder,
  "--port",
  "0",
  "--registration",
  "open",
  ...more,
];

/** Every file of a folder by the hash of its content. */
function fingerprint(folder: string): Record<string, string> {
  const hash = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  // Shared memory of the processes that have the file open: not data.
  const names = readdirSync(folder).filter((name) => !name.endsWith("-shm"));
  return Object.fromEntries(names.map((name) => [name, hash(name)]));
}

function requireOneLine(end: { code: number | null; stdout: string; stderr: string }, ...words: string[]): void {
  expect(end.code).toBe(1);
  expect(end.stdout).toBe("");
  expect(end.stderr).toMatch(/^login-server: [^\n]+\n$/);
  for (const word of words) expect(end.stderr).toContain(word);
}

test("it says where it listens and whose network it is, and ends cleanly when told to", async () => {
  const server = spawnLoginServer(argsFor(servers.folder(), "--name", "Chess club", "--log-level", "silent"));
  const { url, port, networkId } = await server.ready;
  expect(url).toBe(`http://127.0.0.1:${port}`);
  const { body } = await get(url, "/v1/network");
  expect(body).toMatchObject({ name: "Chess club", networkId, registration: "open" });
  expect(networkIdOf(bytesOf(String(body.networkKey)))).toBe(networkId);
  server.child.kill("SIGTERM");
  const end = await server.ended;
  expect(end).toMatchObject({ code: 0, signal: null, stderr: "" });
  expect(end.stdout).toContain(url);
  expect(end.stdout.replaceAll(" ", "")).toContain(networkId);
});

test("it ends when the process that started it has gone", async () => {
  const server = spawnLoginServer(argsFor(servers.folder()));
  await server.ready;
  server.child.disconnect();
  expect((await server.ended).code).toBe(0);
});

test("options also come from the environment", async () => {
  const env = { KITH_LOGIN_DATA: servers.folder(), KITH_LOGIN_PORT: "0", KITH_LOGIN_REGISTRATION: "closed" };
  const { url } = await spawnLoginServer([], { env }).ready;
  expect((await get(url, "/v1/network")).body.registration).toBe("closed");
});

test("help is printed, and nothing is started", async () => {
  const folder = servers.folder();
  const end = await spawnLoginServer(["--help", "--data", folder]).ended;
  expect(end).toMatchObject({ code: 0, stderr: "" });
  expect(end.stdout).toContain("--enrolment-token");
  expect(readdirSync(folder)).toEqual([]);
});

test("a bad option ends it with one line that names the option", async () => {
  const folder = servers.folder();
  requireOneLine(await spawnLoginServer(["--data", folder, "--port", "http"]).ended, "--port");
  expect(readdirSync(folder)).toEqual([]);
});

test("a port in use ends it with one line that names the port, and the data is as it was", async () => {
  const folder = servers.folder();
  const other = await servers.start({ dataFolder: servers.folder() });
  const first = spawnLoginServer(argsFor(folder));
  await first.ready;
  first.child.kill("SIGTERM");
  await first.ended;
  const before = fingerprint(folder);
  requireOneLine(await spawnLoginServer(["--data", folder, "--port", `${other.port}`]).ended, `${other.port}`);
  expect(fingerprint(folder)).toEqual(before);
});

test("a second server on the same data ends with one line, and the first one serves on", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  requireOneLine(await spawnLoginServer(argsFor(dataFolder)).ended, dataFolder);
  await register(url, "alice");
});

test("damaged data end it with one line that names the file, and stay as they are", async () => {
  const folder = servers.folder();
  await (await servers.start({ dataFolder: folder })).close();
  writeFileSync(join(folder, "login.db"), "something else entirely ".repeat(500));
  const before = fingerprint(folder);
  requireOneLine(await spawnLoginServer(argsFor(folder)).ended, join(folder, "login.db"));
  expect(fingerprint(folder)).toEqual(before);
});

test("a data folder that cannot be written ends it with one line that names it", async () => {
  requireOneLine(await spawnLoginServer(argsFor("/proc/kith")).ended, "/proc/kith");
});

test("killed at any moment and started again, it has everything that it had answered for", async () => {
  const folder = servers.folder();
  const args = argsFor(folder, "--enrolment-token", TOKEN, "--log-level", "silent");
  const before = spawnLoginServer(args);
  const { url, networkId } = await before.ready;
  const alice = await register(url, "alice");
  const bob = await register(url, "bob");
  const atAlice = await servers.open(url, alice);
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "hello" });
  await enrol(url, newSupernode(4433), TOKEN);
  // Others are being registered while it is killed: each of them is either there whole or not at all.
  const underway = Array.from({ length: 6 }, (_, index) =>
    register(url, `user${index}`).then(
      (user): TestUser | null => user,
      () => null,
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 30));
  before.child.kill("SIGKILL");
  await before.ended;
  const answered = await Promise.all(underway);

  const after = await spawnLoginServer(args).ready;
  expect(after.networkId).toBe(networkId);
  const again = await servers.open(after.url, alice);
  expect(await again.call("syncBuddies", { since: 0 })).toMatchObject({
    entries: [{ handle: "bob", state: "asked-by-me", greeting: "hello" }],
    revision: 1,
  });
  expect((await login(after.url, "bob", bob.password)).sign.secretKey).toEqual(bob.sign.secretKey);
  const { networkKey, list } = {
    ...(await get(after.url, "/v1/network")).body,
    ...(await get(after.url, "/v1/supernodes")).body,
  };
  const anchor = trustAnchor(bytesOf(String(networkKey)), Date.now);
  expect(trustSupernodeList(anchor, bytesOf(String(list))).value.supernodes.map(({ value }) => value.port)).toEqual([
    4433,
  ]);
  for (const [index, user] of answered.entries()) {
    if (user) await login(after.url, `user${index}`, user.password);
    else
      await login(after.url, `user${index}`, `secret of user${index}`).catch(() => register(after.url, `user${index}`));
  }
});

test("with a full disk it refuses what it cannot store, serves the rest, and has lost nothing afterwards", async () => {
  const folder = servers.folder();
  const quiet = ["--log-level", "silent"];
  const { url } = await spawnLoginServer(argsFor(folder, ...quiet), { maxFileBlocks: 1_200 }).ready;
  const registered: TestUser[] = [];
  let refusal = "ok";
  for (let index = 0; refusal === "ok" && index < 400; index++) {
    const user = newUser(`user${index}`);
    const { body } = await registrationBody(url, user);
    const answer = await post(url, "/v1/register/finish", body);
    refusal = codeOf(answer);
    if (refusal === "ok")
      registered.push({ ...user, certificate: bytesOf(String(answer.body.certificate)), exportKey: "" });
    else expect([answer.status, refusal]).toEqual([503, "login-server-busy"]);
  }
  expect(refusal).toBe("login-server-busy");
  const first = registered[0] as TestUser;
  const session = servers.connect(url);
  await session.open(await networkIdAt(url), first);
  expect(await session.call("syncBuddies", { since: 0 })).toMatchObject({ revision: 0 });
  await endLoginServers();

  const roomy = await spawnLoginServer(argsFor(folder, ...quiet)).ready;
  for (const user of [first, registered.at(-1) as TestUser]) {
    expect((await login(roomy.url, user.handle, user.password)).sign.secretKey).toEqual(user.sign.secretKey);
  }
  await register(roomy.url, "latecomer");
});

test("with no byte left on its disk it refuses writes, serves reads, and stores again as soon as there is room", async (context) => {
  const why = whyNoSmallDisk();
  if (why !== null) return context.skip(why);
  const disk = new SmallDisk(24);
  try {
    const { child, ready } = spawnLoginServer(argsFor(disk.path, "--log-level", "silent"), { disk });
    const { url } = await ready;
    disk.giveTo(child.pid ?? 0, null);
    const alice = await register(url, "alice");
    const session = await servers.open(url, alice);

    disk.fill();
    const registered: TestUser[] = [];
    let refusal: unknown = null;
    while (refusal === null && registered.length < 400) {
      try {
        registered.push(await register(url, `user${registered.length}`));
      } catch (error) {
        refusal = error;
      }
    }
    expect(refusal).toEqual(new Error("login-server-busy"));
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect(await session.call("syncBuddies", { since: 0 })).toMatchObject({ revision: 0 });
    expect((await session.call("account", {})).devices).toMatchObject([{ deviceId: alice.deviceId }]);

    disk.free();
    await register(url, `user${registered.length}`);
    for (const user of [alice, ...registered.slice(-3)]) await login(url, user.handle, user.password);
  } finally {
    await endLoginServers();
    disk.remove();
  }
});
