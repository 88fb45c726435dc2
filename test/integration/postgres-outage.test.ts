/** PostgreSQL dies, stands still or has no room left, and comes back: refused clearly, never half done. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  codeOf,
  get,
  type HttpAnswer,
  handle,
  login,
  loginProof,
  loginStart,
  newDeviceId,
  newUser,
  post,
  register,
  registrationBody,
  type TestUser,
} from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { newDatabase, type PostgresServer, startPostgres } from "../support/postgres-server.ts";
import { SmallDisk, whyNoSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

const servers = loginServers();
const base = inject("database");
let postgres: PostgresServer;

// One of its own: the other tests' must not die.
beforeAll(async () => {
  if (base?.kind === "postgres") postgres = await startPostgres();
});
afterAll(() => postgres?.close());
beforeEach((context) => {
  if (base?.kind !== "postgres") context.skip("no PostgreSQL");
});

test("what PostgreSQL's death interrupts is refused for now, done wholly or not at all, and everything works again after it", async () => {
  const server = await servers.start({ database: await newDatabase(postgres.url) });
  const { url } = server;
  const alice = await register(url, "alice");
  const others: TestUser[] = [];
  for (let index = 0; index < 12; index++) others.push(await register(url, `friend${index}`));
  const atAlice = await servers.open(url, alice);

  // Alice asks one after the other while the database dies under it.
  const answers = new Map<string, string>();
  let died: Promise<void> | null = null;
  for (const [index, { handle: name }] of others.entries()) {
    if (index === 4) died = postgres.kill();
    answers.set(name, await codeOfCall(atAlice.call("requestBuddy", { handle: name, greeting: "" })));
  }
  await died;
  expect([...answers.values()].filter((answer) => answer !== "ok" && answer !== "login-server-busy")).toEqual([]);
  expect([...answers.values()]).toContain("login-server-busy");

  // While it is away: a clear refusal with the time to come again, and the process lives.
  const refused = (await loginStart(url, "alice", alice.password)).answer;
  expect([refused.status, codeOf(refused), refused.headers.get("retry-after")]).toEqual([
    503,
    "login-server-busy",
    "5",
  ]);
  expect((await fetch(`${url}/ready`)).status).toBe(503);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect(atAlice.socket.connected).toBe(true);

  await postgres.revive();
  await until(async () => (await fetch(`${url}/ready`)).status === 200);
  const mine = await atAlice.call("syncBuddies", { since: 0 });
  expect(mine.entries.length).toBeLessThanOrEqual(LIMITS.maxBuddies);
  for (const other of others) {
    const session = await servers.open(url, other);
    const theirs = await session.call("syncBuddies", { since: 0 });
    const here = mine.entries.find(({ userId }) => userId === other.userId)?.state;
    const there = theirs.entries.find(({ userId }) => userId === alice.userId)?.state;
    // Both sides or neither; and what was acknowledged is there.
    expect([here, there]).toEqual(here === undefined ? [undefined, undefined] : ["asked-by-me", "asks-me"]);
    if (answers.get(other.handle) === "ok") expect(here).toBe("asked-by-me");
    session.close();
  }
  await atAlice.call("requestBuddy", { handle: handle("friend11"), greeting: "" }).catch((error: unknown) => {
    expect(KithError.from(error).code).toBe("already-requested");
  });
  expect((await login(url, "alice", alice.password)).userId).toBe(alice.userId);
});

test("while PostgreSQL stands still everybody is answered, and what was asked meanwhile is done wholly or not at all", async () => {
  const server = await servers.start({ database: await newDatabase(postgres.url) });
  const { url } = server;
  const alice = await register(url, "alice");
  const others: TestUser[] = [];
  for (let index = 0; index < 6; index++) others.push(await register(url, `friend${index}`));
  const atAlice = await servers.open(url, alice);
  const begun = await loginStart(url, "alice", alice.password);
  const proof = loginProof(begun, alice.password)?.finishLoginRequest ?? "";

  postgres.freeze();
  try {
    // More at once than there are connections, and of every kind that needs the database.
    const requests = others.map(({ handle: name }) => atAlice.call("requestBuddy", { handle: name, greeting: "" }));
    const answers = [
      ...requests.map(codeOfCall),
      codeOfCall(atAlice.call("syncBuddies", { since: 0 })),
      codeOfCall(atAlice.call("keyLog", { handle: alice.handle, since: 0 })),
      ...others.map(async (other) => codeOf((await loginStart(url, other.handle, other.password)).answer)),
      post(url, "/v1/recovery/start", { handle: "alice" }).then(codeOf),
      post(url, "/v1/login/finish", {
        attempt: begun.answer.body.attempt,
        request: proof,
        deviceId: newDeviceId(),
        deviceName: "another",
      }).then(codeOf),
      get(url, "/v1/notices").then(codeOf),
    ];
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["login-server-busy"]));
    expect(atAlice.socket.connected).toBe(true);
  } finally {
    postgres.thaw();
  }

  await until(async () => (await fetch(`${url}/ready`)).status === 200);
  const mine = await atAlice.call("syncBuddies", { since: 0 });
  for (const other of others) {
    const theirs = await (await servers.open(url, other)).call("syncBuddies", { since: 0 });
    const here = mine.entries.find(({ userId }) => userId === other.userId)?.state;
    const there = theirs.entries.find(({ userId }) => userId === alice.userId)?.state;
    expect([here, there]).toEqual(here === undefined ? [undefined, undefined] : ["asked-by-me", "asks-me"]);
  }
  // What goes on by itself does so again: certificates get into the key log.
  expect((await login(url, "alice", alice.password)).userId).toBe(alice.userId);
  await until(async () => (await atAlice.call("keyLog", { handle: alice.handle, since: 0 })).length >= 2);
});

test("with its disk full PostgreSQL takes no more, what there is can be read, and nothing is lost once there is room", async (context) => {
  const why = whyNoSmallDisk();
  if (why !== null) return context.skip(why);
  const disk = new SmallDisk(48);
  const crowded = await startPostgres(disk);
  try {
    const server = await servers.start({ database: await newDatabase(crowded.url) });
    const { url } = server;
    const alice = await register(url, "alice");
    const bob = await register(url, "bob");
    const [atAlice, atBob] = [await servers.open(url, alice), await servers.open(url, bob)];
    await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "hello" });

    disk.fill();
    // Pages that are begun take some more.
    const registered: TestUser[] = [];
    let refused: HttpAnswer | null = null;
    for (let index = 0; refused === null && index < 500; index++) {
      const user = newUser(`user${index}`);
      const { body, exportKey } = await registrationBody(url, user);
      const answer = await post(url, "/v1/register/finish", body);
      if (codeOf(answer) === "ok") registered.push({ ...user, exportKey, certificate: new Uint8Array() });
      else refused = answer;
    }
    expect([refused?.status, refused && codeOf(refused)]).toEqual([503, "login-server-busy"]);
    expect(refused?.headers.get("retry-after")).toBe("5");
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect((await atBob.call("syncBuddies", { since: 0 })).entries).toMatchObject([
      { handle: "alice", greeting: "hello" },
    ]);
    expect((await atBob.call("account", {})).devices).toMatchObject([{ deviceId: bob.deviceId }]);

    disk.free();
    for (const user of registered) await login(url, user.handle, user.password);
    const last = `user${registered.length}`;
    await expect(login(url, last, `secret of ${last}`)).rejects.toThrow("wrong-password");
    expect((await register(url, last)).handle).toBe(last);
    expect(await atBob.call("acceptBuddy", { userId: alice.userId })).toMatchObject({ state: "buddy" });
  } finally {
    await crowded.close();
    disk.remove();
  }
});

test("a server whose PostgreSQL is not there does not start, and says why without the password", async () => {
  const start = servers.start({ database: "postgres://kith:secret@127.0.0.1:1/kith" });
  await expect(start).rejects.toMatchObject({
    code: "database-unreachable",
    details: { database: "127.0.0.1:1/kith" },
  });
  await expect(start).rejects.not.toThrow("secret");
});

function codeOfCall(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: unknown) => KithError.from(error).code,
  );
}
