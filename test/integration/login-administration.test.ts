import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { ADMIN_HELP, administrate } from "../../login-server/administration/admin-cli.ts";
import { root } from "../../scripts/repository.ts";
import {
  codeOf,
  enrol,
  get,
  handle,
  login,
  newSupernode,
  newUser,
  post,
  register,
  registrationBody,
} from "../support/login-api-client.ts";
import { loginServers, TestClock } from "../support/login-server-fixture.ts";
import { buildLoginServer } from "../support/login-server-process.ts";

const servers = loginServers();

beforeAll(buildLoginServer, 60_000);

/** What the command wrote. */
async function admin(dataFolder: string, ...args: string[]): Promise<string> {
  let written = "";
  await administrate(["--data", dataFolder, ...args], {}, (text) => {
    written += text;
  });
  return written;
}
const adminJson = async (dataFolder: string, ...args: string[]) =>
  JSON.parse(await admin(dataFolder, "--json", ...args)) as Record<string, unknown>;
const refused = (code: string) => expect.objectContaining({ code });

test("everybody is listed, with one line or as JSON, and one by one with their devices", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const alice = await register(url, "alice");
  await register(url, "bob");
  await servers.open(url, alice);
  expect(await admin(dataFolder, "users")).toMatch(
    /^handle +role +standing +since\nalice +member +active .*\nbob +member/,
  );
  expect(await adminJson(dataFolder, "users")).toMatchObject({ users: [{ handle: "alice" }, { handle: "bob" }] });
  expect(await adminJson(dataFolder, "user", "alice")).toMatchObject({
    user: { handle: "alice", userId: alice.userId },
    devices: [{ deviceId: alice.deviceId, connected: true }],
    hasRecoveryKey: false,
  });
});

test("an invitation made here lets somebody in, and one that is revoked does not", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "invitation" });
  const kept = await adminJson(dataFolder, "invite", "--uses", "2", "--days", "3", "--note", "chess club");
  const { invitationId } = await adminJson(dataFolder, "invite");
  expect(await admin(dataFolder, "invitations")).toContain("chess club");
  expect(await admin(dataFolder, "revoke", String(invitationId))).toBe("Done.\n");
  await expect(admin(dataFolder, "revoke", String(invitationId))).rejects.toEqual(refused("no-such-invitation"));
  const invitation = String(kept.token);
  const { body } = await registrationBody(url, newUser("alice"), invitation);
  expect(codeOf(await post(url, "/v1/register/finish", { ...body, invitation }))).toBe("ok");
});

test("a reset gives the handle, with new keys, to whoever has the link, and to nobody else", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const before = await register(url, "alice");
  const session = await servers.open(url, before);
  const { token } = await adminJson(dataFolder, "reset", "alice");
  const invitation = String(token);
  const elsewhere = await post(url, "/v1/register/start", { handle: "mallory", request: "AAAA", invitation });
  expect(codeOf(elsewhere)).toBe("invitation-invalid");
  // Until it is used, nothing has changed.
  expect((await login(url, "alice", before.password)).userId).toBe(before.userId);
  const fresh = newUser("alice", "another password");
  const { body } = await registrationBody(url, fresh, invitation);
  expect(codeOf(await post(url, "/v1/register/finish", { ...body, invitation }))).toBe("ok");
  await session.closed();
  expect((await login(url, "alice", "another password")).userId).toBe(fresh.userId);
  await expect(login(url, "alice", before.password)).rejects.toThrow("wrong-password");
});

test("an invitation for a handle that somebody has is refused: it would delete their account", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  await register(url, "alice");
  await expect(admin(dataFolder, "invite", "--handle", "alice")).rejects.toEqual(refused("handle-taken"));
  expect(await adminJson(dataFolder, "invitations")).toMatchObject({
    invitations: [{ note: "the first administrator" }],
  });
  await admin(dataFolder, "delete", "alice", "--yes");
  const { token } = await adminJson(dataFolder, "invite", "--handle", "alice");
  const { body } = await registrationBody(url, newUser("alice"), String(token));
  expect(codeOf(await post(url, "/v1/register/finish", { ...body, invitation: token }))).toBe("ok");
});

test("an invitation for a handle takes it from nobody who has got it since", async () => {
  const dataFolder = servers.folder();
  const clock = new TestClock();
  const { url } = await servers.start({ dataFolder, now: clock.now });
  const { token } = await adminJson(dataFolder, "invite", "--handle", "zoe");
  clock.advance(1);
  const zoe = await register(url, "zoe");
  const invitation = String(token);
  const { body } = await registrationBody(url, newUser("zoe", "somebody else's"), invitation);
  expect(codeOf(await post(url, "/v1/register/finish", { ...body, invitation }))).toBe("handle-taken");
  expect((await login(url, "zoe", zoe.password)).userId).toBe(zoe.userId);
});

test("what was done stands in the audit log, newest first, and a deleted account's name does not", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  await register(url, "alice");
  await register(url, "bob");
  for (const command of ["block", "unblock", "promote", "demote", "sign-out"]) await admin(dataFolder, command, "bob");
  await expect(admin(dataFolder, "delete", "alice")).rejects.toEqual(refused("option-invalid"));
  await admin(dataFolder, "delete", "alice", "--yes");
  const { entries } = await adminJson(dataFolder, "audit", "--limit", "100");
  expect((entries as { action: string }[]).map(({ action }) => action)).toEqual([
    "account-deleted",
    "devices-signed-out",
    "role-changed",
    "role-changed",
    "account-unblocked",
    "account-blocked",
    "account-made",
    "account-made",
    "invitation-made",
  ]);
  expect(JSON.stringify(entries)).not.toContain("alice");
  expect(await admin(dataFolder, "audit", "--limit", "1")).not.toContain("account-blocked");
});

test("a supernode that is removed is off the list", async () => {
  const dataFolder = servers.folder();
  const { url, enrolmentToken } = await servers.start({ dataFolder });
  await enrol(url, newSupernode(4433, "sn1.example.org"), enrolmentToken);
  const { supernodes } = (await adminJson(dataFolder, "supernodes")) as { supernodes: { supernodeId: string }[] };
  expect(await admin(dataFolder, "supernodes")).toContain("sn1.example.org:4433");
  expect(await admin(dataFolder, "remove-supernode", supernodes[0]?.supernodeId ?? "")).toMatch(/\n {2}[\w-]{32}\n$/);
  expect(await adminJson(dataFolder, "supernodes")).toEqual({ supernodes: [] });
  await expect(admin(dataFolder, "remove-supernode", "0".repeat(40))).rejects.toEqual(refused("no-such-supernode"));
});

test("statistics count what is there", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  await servers.open(url, await register(url, "alice"));
  await register(url, "bob");
  await admin(dataFolder, "block", "bob");
  expect(await adminJson(dataFolder, "statistics")).toMatchObject({
    accounts: 2,
    blocked: 1,
    waiting: 0,
    devices: 1,
    connectedDevices: 1,
    connectedAccounts: 1,
    invitations: 1,
  });
  expect(await admin(dataFolder, "statistics")).toMatch(/connected devices +1/);
});

test("what people have named their devices cannot rewrite the terminal", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const { body } = await registrationBody(url, newUser("alice"));
  await post(url, "/v1/register/finish", { ...body, deviceName: "\u001b[2J\u202ephone\u009b1m\u{e0001}" });
  const shown = await admin(dataFolder, "user", "alice");
  expect(shown).toContain("\ufffd[2J\ufffdphone");
  const json = await admin(dataFolder, "user", "alice", "--json");
  for (const hidden of ["\u001b", "\u202e", "\u009b", "\u{e0001}"]) expect(shown + json).not.toContain(hidden);
  expect(JSON.parse(json)).toMatchObject({ devices: [{ name: "\u001b[2J\u202ephone\u009b1m\u{e0001}" }] });
});

test("only who can read the data folder administers, and only while the server runs", async () => {
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder });
  const file = join(dataFolder, "admin.json");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { url, token } = JSON.parse(readFileSync(file, "utf8")) as { url: string; token: string };
  for (const authorization of ["", "Bearer ", `Bearer ${"0".repeat(token.length)}`, token]) {
    const headers = { "content-type": "application/json", authorization };
    const answer = await fetch(`${url}/v1/admin/users`, { method: "POST", headers, body: "{}" });
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
      403,
      "administrator-only",
    ]);
  }
  // The port that everybody reaches knows nothing of it.
  expect(codeOf(await post(server.url, "/v1/admin/users", {}))).toBe("unknown-method");
  await server.close();
  await expect(admin(dataFolder, "users")).rejects.toEqual(refused("administration-unreachable"));
});

test("a server that died leaves no token that the next one takes", async () => {
  const dataFolder = servers.folder();
  writeFileSync(
    join(dataFolder, "admin.json"),
    '{"url":"http://127.0.0.1:9","token":"of the one before, long enough"}',
    { mode: 0o644 },
  );
  await servers.start({ dataFolder });
  expect(statSync(join(dataFolder, "admin.json")).mode & 0o777).toBe(0o600);
  expect(await admin(dataFolder, "users")).toContain("handle");
});

test.each([
  [["dance"], "dance"],
  [["users", "alice"], "alice"],
  [["block"], "block"],
  [["invite", "--uses", "0"], "--uses"],
  [["invite", "--days", "1e3"], "--days"],
  [["users", "--standing", "odd"], "--standing"],
  [["--nonsense"], "nonsense"],
])("%j is refused by its name", async (args, named) => {
  await expect(admin(servers.folder(), ...args)).rejects.toThrow(named);
});

test("every command is in the help", async () => {
  expect(await admin("", "--help")).toBe(ADMIN_HELP);
  for (const command of ["users", "reset", "invite", "revoke", "supernodes", "statistics", "audit"]) {
    expect(ADMIN_HELP).toContain(`  ${command}`);
  }
});

test("the shipped program runs commands against the server that runs", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  await register(url, "alice");
  const run = promisify(execFile);
  const program = join(root, "out", "login-server.mjs");
  const { stdout } = await run(process.execPath, [program, "admin", "users", "--json"], {
    env: { ...process.env, KITH_LOGIN_DATA: dataFolder },
  });
  expect(JSON.parse(stdout)).toMatchObject({ users: [{ handle: "alice" }] });
  const elsewhere = join(dataFolder, "elsewhere");
  mkdirSync(elsewhere);
  await expect(run(process.execPath, [program, "admin", "users", "--data", elsewhere])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^login-server: No login server runs on [^\n]+\n$/),
  });
});

test("metrics count what was answered and name nobody; health and readiness answer", async () => {
  const server = await servers.start({ metrics: { host: "127.0.0.1", port: 0 } });
  const alice = await register(server.url, "alice");
  const session = await servers.open(server.url, alice);
  const asked = session.call("requestBuddy", { handle: handle("nobody-here"), greeting: "" });
  await expect(asked).rejects.toEqual(refused("no-such-user"));
  await post(server.url, "/v1/login/start", { handle: "x", request: "A" });
  await get(server.url, "/alice");
  const text = await (await fetch(server.metricsUrl ?? "")).text();
  expect(text).toContain('kith_login_request_seconds_count{route="/v1/register/finish",status="200"} 1');
  expect(text).toContain('kith_login_request_seconds_count{route="/v1/login/start",status="400"} 1');
  expect(text).toContain('kith_login_request_seconds_count{route="unknown",status="404"} 1');
  expect(text).toContain("kith_login_connected_devices 1");
  expect(text).toContain('kith_login_session_requests_total{method="open",outcome="ok"} 1');
  expect(text).toContain('kith_login_session_requests_total{method="requestBuddy",outcome="no-such-user"} 1');
  for (const secret of ["alice", alice.userId, alice.deviceId, "127.0.0.1"]) expect(text).not.toContain(secret);
  for (const [path, answer] of [
    ["/health", "ok\n"],
    ["/ready", "ready\n"],
  ]) {
    const response = await fetch(`${server.url}${path}`);
    expect([response.status, await response.text()]).toEqual([200, answer]);
  }
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
});

test("guesses at one password from many addresses are limited, and the owner's own address is not kept out", async () => {
  const { url } = await servers.start({
    proxies: ["127.0.0.1"],
    rates: { loginAccount: { burst: 3, perSecond: 0.001 } },
  });
  await register(url, "alice");
  // Counted as a stranger's, once.
  await login(url, "alice", "secret of alice");
  const guess = async (from: string, handle = "alice") => {
    const headers = { "content-type": "application/json", "x-forwarded-for": from };
    const body = JSON.stringify({ handle, request: "A".repeat(43) });
    const answer = await fetch(`${url}/v1/login/start`, { method: "POST", headers, body });
    return [
      ((await answer.json()) as { error?: { code: string } }).error?.code ?? "ok",
      answer.headers.get("retry-after"),
    ];
  };
  const codes = [];
  for (const from of ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]) codes.push(await guess(from));
  expect(codes[3]).toEqual(["rate-limited", "1000"]);
  // A handle that nobody has is limited alike.
  for (const from of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) await guess(from, "nobody-here");
  expect((await guess("192.0.2.4", "nobody-here"))[0]).toBe("rate-limited");
  await login(url, "alice", "secret of alice");
  // Nor has somebody else behind the owner's address more guesses than anybody has.
  for (const _ of [2, 3]) await guess("127.0.0.1");
  expect((await guess("127.0.0.1"))[0]).toBe("rate-limited");
});

test("an address that a device of the account has a session from is the owner's, also after a restart", async () => {
  const dataFolder = servers.folder();
  const options = { dataFolder, rates: { loginAccount: { burst: 1, perSecond: 0.001 } } };
  const before = await servers.start(options);
  const alice = await register(before.url, "alice");
  await before.close();
  const { url } = await servers.start(options);
  await post(url, "/v1/login/start", { handle: "alice", request: "A".repeat(43) });
  await expect(login(url, "alice", alice.password)).rejects.toThrow("rate-limited");
  await servers.open(url, alice);
  await login(url, "alice", alice.password);
});

test("SQL and markup in every field that people write are kept as they were written", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const hostile = `'); DROP TABLE accounts; --<img src=x onerror="alert(1)">`;
  const bob = await register(url, "bob");
  const { body } = await registrationBody(url, newUser("alice"));
  expect(codeOf(await post(url, "/v1/register/finish", { ...body, deviceName: hostile }))).toBe("ok");
  const atBob = await servers.open(url, bob);
  await atBob.call("requestBuddy", { handle: handle("alice"), greeting: hostile });
  const { entries } = await atBob.call("syncBuddies", { since: 0 });
  expect(entries).toMatchObject([{ handle: "alice", greeting: hostile }]);
  await admin(dataFolder, "invite", "--note", hostile);
  expect(await adminJson(dataFolder, "user", "alice")).toMatchObject({ devices: [{ name: hostile }] });
  const { invitations } = (await adminJson(dataFolder, "invitations")) as { invitations: { note: string }[] };
  expect(invitations.map(({ note }) => note)).toContain(hostile);
  for (const name of [hostile, "alice' --", "alice; drop"]) {
    await expect(admin(dataFolder, "user", name)).rejects.toEqual(refused("handle-malformed"));
  }
  expect((await login(url, "alice", "secret of alice")).handle).toBe("alice");
});
