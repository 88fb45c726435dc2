/** PostgreSQL dies under load and comes back: refused clearly, never half done. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { codeOf, handle, login, loginStart, register, type TestUser } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { newDatabase, type PostgresServer, startPostgres } from "../support/postgres-server.ts";
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
    const answer = await atAlice.call("requestBuddy", { handle: name, greeting: "" }).then(
      () => "ok",
      (error: unknown) => KithError.from(error).code,
    );
    answers.set(name, answer);
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

test("a server whose PostgreSQL is not there does not start, and says why without the password", async () => {
  const start = servers.start({ database: "postgres://kith:secret@127.0.0.1:1/kith" });
  await expect(start).rejects.toMatchObject({
    code: "database-unreachable",
    details: { database: "127.0.0.1:1/kith" },
  });
  await expect(start).rejects.not.toThrow("secret");
});
