/** What happens to somebody who is blocked or deleted by another instance in the middle of their own request. */
import pg from "pg";
import { expect, inject, test } from "vitest";
import {
  codeOf,
  handle,
  login,
  loginProof,
  loginStart,
  newDeviceId,
  post,
  register,
} from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { newDatabase } from "../support/postgres-server.ts";
import { until } from "../support/until.ts";

const servers = loginServers();

/** A server, and a connection beside it that stands for another instance. */
async function serverAndOther() {
  const base = inject("database");
  if (base?.kind !== "postgres") throw new Error("no PostgreSQL");
  const database = await newDatabase(base.url);
  const server = await servers.start({ database });
  const other = new pg.Client({ connectionString: database });
  await other.connect();
  const waiting = async () => {
    const { rows } = await other.query(
      "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))",
    );
    return rows.length > 0;
  };
  return { server, other, waiting };
}

test("whoever is blocked while they sign in does not get in", async () => {
  const { server, other, waiting } = await serverAndOther();
  const { url } = server;
  const alice = await register(url, "alice");
  const start = await loginStart(url, "alice", alice.password);
  const proof = loginProof(start, alice.password);
  await other.query("BEGIN");
  await other.query("UPDATE accounts SET standing = 'blocked'");
  await other.query("DELETE FROM devices");
  const body = start.answer.body as { attempt: string };
  const device = { deviceId: newDeviceId(), deviceName: "laptop" };
  const finishing = post(url, "/v1/login/finish", {
    attempt: body.attempt,
    request: proof?.finishLoginRequest,
    ...device,
  });
  await until(waiting);
  await other.query("COMMIT");
  expect(codeOf(await finishing)).toBe("login-attempt-over");
  expect((await other.query("SELECT 1 FROM devices")).rows).toEqual([]);
  await other.end();
  await expect(login(url, "alice", alice.password)).rejects.toThrow("account-blocked");
});

test("a request that comes to somebody while their account is deleted leaves no line behind", async () => {
  const { server, other, waiting } = await serverAndOther();
  const { url } = server;
  const [alice, bob] = [await register(url, "alice"), await register(url, "bob")];
  const atBob = await servers.open(url, bob);
  // As if bob's request to alice were under way at another instance, its lines not stored yet.
  await other.query("BEGIN");
  await other.query("UPDATE accounts SET buddy_revision = buddy_revision + 1");
  const lines = "INSERT INTO buddy_lines (owner_id, peer_id, state, greeting, revision) VALUES ($1, $2, $3, '', 1)";
  await other.query(lines, [bob.userId, alice.userId, "asked-by-me"]);
  await other.query(lines, [alice.userId, bob.userId, "asks-me"]);
  const start = await loginStart(url, "alice", alice.password);
  const proof = loginProof(start, alice.password);
  const body = start.answer.body as { attempt: string };
  const deleting = post(url, "/v1/account/delete", { attempt: body.attempt, request: proof?.finishLoginRequest });
  await until(waiting);
  await other.query("COMMIT");
  expect(codeOf(await deleting)).toBe("ok");
  const { entries } = await atBob.call("syncBuddies", { since: 0 });
  expect(entries.map(({ userId, handle: name, state }) => [userId, name, state])).toEqual([
    [alice.userId, handle("deleted-account"), "removed"],
  ]);
  await other.end();
});
