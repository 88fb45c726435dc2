import { readFileSync } from "node:fs";
import { join } from "node:path";
import Libsql from "libsql";
import { afterEach, expect, test } from "vitest";
import { ADMIN_API } from "../../login-server/administration/admin-api.ts";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { KithError } from "../../protocol/errors.ts";
import { askAdmin } from "../support/admin-client.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { codeOf, post } from "../support/login-api-client.ts";
import { makeFolder, removeFolder } from "../support/login-server-fixture.ts";

const PASSWORD = "correct horse battery";
const OTHER = "staple of another kind";
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function network(options: Partial<Parameters<typeof startLoginServer>[0]> = {}) {
  const dataFolder = makeFolder();
  closers.push(() => removeFolder(dataFolder));
  const server = await startLoginServer({ dataFolder, registration: "open", ...options });
  closers.push(() => server.close());
  return { server, dataFolder };
}

/** The code that work was refused with, or "no error". */
async function refusalOf(work: unknown): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return KithError.from(error).code;
  }
}

async function client(server: LoginServer): Promise<HeadlessClient> {
  const opened = await HeadlessClient.open(server.url);
  closers.push(() => opened.close());
  return opened;
}

/** Signed in and in session with the login server; there are no supernodes here. */
async function member(server: LoginServer, handle: string, invitation?: string): Promise<HeadlessClient> {
  const joined = await client(server);
  await joined.signUp(handle, PASSWORD, invitation);
  return atServer(joined);
}

async function atServer(one: HeadlessClient): Promise<HeadlessClient> {
  await one.until(() => one.session.phase === "signed-in" && one.session.loginServerReachable, "login server reached");
  return one;
}

test("a changed password opens the same account, and the old one nothing", async () => {
  const { server } = await network();
  const alice = await member(server, "alice");
  await alice.methods.changePassword({ current: PASSWORD, next: OTHER });
  const elsewhere = await client(server);
  expect(await refusalOf(elsewhere.signIn("alice", PASSWORD))).toBe("wrong-password");
  await elsewhere.signIn("alice", OTHER);
  expect(elsewhere.me.userId).toBe(alice.me.userId);
});

test("whoever does not know the password does not change it", async () => {
  const { server } = await network();
  const alice = await member(server, "alice");
  expect(await refusalOf(alice.methods.changePassword({ current: OTHER, next: OTHER }))).toBe("wrong-password");
  expect(await refusalOf(alice.methods.changePassword({ current: PASSWORD, next: "short" }))).toBe("password-weak");
  await (await client(server)).signIn("alice", PASSWORD);
});

test("the recovery key brings the same account back with another password, more than once", async () => {
  const { server, dataFolder } = await network();
  const alice = await member(server, "alice");
  expect((await alice.methods.account({})).recoveryKeySetAt).toBeNull();
  const { recoveryKey } = await alice.methods.makeRecoveryKey({});
  expect(recoveryKey).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
  expect((await alice.methods.account({})).recoveryKeySetAt).not.toBeNull();
  const typed = recoveryKey.toLowerCase().replaceAll("-", " ").replaceAll("1", "l").replaceAll("0", "o");
  for (const password of [OTHER, `${OTHER} again`]) {
    const elsewhere = await client(server);
    await elsewhere.methods.recover({ loginServer: server.url, handle: "alice", recoveryKey: typed, password });
    expect(elsewhere.me.userId).toBe(alice.me.userId);
  }
  expect(await refusalOf((await client(server)).signIn("alice", PASSWORD))).toBe("wrong-password");
  await server.close();
  const stored = readFileSync(join(dataFolder, "login.db"), "latin1");
  for (const form of [recoveryKey, recoveryKey.replaceAll("-", "")]) expect(stored).not.toContain(form);
});

test("a recovery key that was replaced, mistyped or is somebody else's opens nothing", async () => {
  const { server } = await network();
  const alice = await member(server, "alice");
  const bob = await member(server, "bob");
  const { recoveryKey: old } = await alice.methods.makeRecoveryKey({});
  await alice.methods.makeRecoveryKey({});
  const { recoveryKey: bobs } = await bob.methods.makeRecoveryKey({});
  const stranger = await client(server);
  const recover = (handle: string, recoveryKey: string) =>
    refusalOf(stranger.methods.recover({ loginServer: server.url, handle, recoveryKey, password: OTHER }));
  expect(await recover("alice", old)).toBe("recovery-refused");
  expect(await recover("alice", bobs)).toBe("recovery-refused");
  expect(await recover("nobody-here", bobs)).toBe("recovery-refused");
  const mistyped = `${bobs.slice(0, -1)}${bobs.endsWith("2") ? "3" : "2"}`;
  expect(await recover("bob", mistyped)).toBe("recovery-key-malformed");
  expect(await recover("bob", "")).toBe("recovery-key-malformed");
  await stranger.signIn("bob", PASSWORD);
});

test("the start of a recovery looks the same for a handle that nobody has", async () => {
  const { server } = await network();
  await member(server, "alice");
  for (const handle of ["alice", "bob"]) {
    const { status, body } = await post(server.url, "/v1/recovery/start", { handle });
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(["attempt", "nonce"]);
    const proof = Buffer.alloc(64, 1).toString("base64");
    const refused = await post(server.url, "/v1/recovery/prove", {
      attempt: body.attempt,
      proof,
      registration: "AAAA",
    });
    expect([refused.status, codeOf(refused)]).toEqual([401, "recovery-refused"]);
    const replayed = await post(server.url, "/v1/recovery/prove", {
      attempt: body.attempt,
      proof,
      registration: "AAAA",
    });
    expect(codeOf(replayed)).toBe("login-attempt-over");
  }
});

test("a change is good for one finish, with a vault of the right size alone", async () => {
  const { server } = await network();
  await member(server, "alice");
  for (const change of ["", "x".repeat(32)]) {
    const body = { change, record: "AAAA", vault: Buffer.alloc(136).toString("base64") };
    expect(codeOf(await post(server.url, "/v1/password/finish", body))).toBe("login-attempt-over");
  }
  const body = { change: "x", record: "AAAA", vault: Buffer.alloc(139).toString("base64") };
  expect(codeOf(await post(server.url, "/v1/password/finish", body))).toBe("malformed");
});

test("each device is listed, and one can sign out another", async () => {
  const { server } = await network();
  const alice = await member(server, "alice");
  const laptop = await client(server);
  await laptop.signIn("alice", PASSWORD);
  await atServer(laptop);
  const { devices } = await alice.methods.account({});
  expect(devices.map(({ deviceId }) => deviceId).sort()).toEqual([alice.me.deviceId, laptop.me.deviceId].sort());
  expect(devices.every(({ connected }) => connected)).toBe(true);
  await alice.methods.signOutDevice({ deviceId: laptop.me.deviceId });
  await laptop.until(() => laptop.session.phase === "signed-out", "signed out");
  expect((await alice.methods.account({})).devices).toHaveLength(1);
});

test("a deleted account is gone from the server, the device and its buddies, and nobody gets its name", async () => {
  const { server, dataFolder } = await network();
  const alice = await member(server, "alice.the.vanishing");
  const bob = await member(server, "bob");
  await bob.methods.requestBuddy({ handle: "alice.the.vanishing", greeting: "Shall we?" });
  await alice.until(() => alice.buddy("bob"), "asked");
  await alice.methods.acceptBuddy({ userId: alice.idOf("bob") });
  await bob.until(() => bob.buddy("alice.the.vanishing")?.relation === "buddy", "buddies");
  expect(await refusalOf(alice.methods.deleteAccount({ password: OTHER }))).toBe("wrong-password");
  await alice.methods.deleteAccount({ password: PASSWORD });
  expect(alice.session.phase).toBe("signed-out");
  await bob.until(() => !bob.buddy("alice.the.vanishing"), "gone from the list");
  const next = await client(server);
  expect(await refusalOf(next.signIn("alice.the.vanishing", PASSWORD))).toBe("wrong-password");
  expect(await refusalOf(next.signUp("alice.the.vanlshing"))).toBe("handle-look-alike");
  const { handle_rows } = await rowsNaming(dataFolder, server, "alice.the.vanishing");
  expect(handle_rows).toEqual([]);
});

test("a buddy who was away learns later that an account was deleted", async () => {
  const { server } = await network();
  const alice = await member(server, "alice");
  const bob = await member(server, "bob");
  await bob.methods.requestBuddy({ handle: "alice", greeting: "" });
  await alice.until(() => alice.buddy("bob"), "asked");
  await bob.close({ keepFolder: true });
  await alice.methods.deleteAccount({ password: PASSWORD });
  const again = await bob.reopen();
  closers.push(() => again.close());
  await again.until(() => !again.buddy("alice"), "gone from the list");
});

test("an export has the account, its devices, buddies and conversations", async () => {
  const { server } = await network();
  const alice = await member(server, "alice");
  const bob = await member(server, "bob");
  await bob.methods.requestBuddy({ handle: "alice", greeting: "It is me" });
  await alice.until(() => alice.buddy("bob"), "asked");
  await alice.methods.acceptBuddy({ userId: alice.idOf("bob") });
  await alice.until(() => alice.buddy("bob")?.relation === "buddy", "buddies");
  await alice.say("bob", "kept for you");
  await alice.methods.labelBuddy({ userId: alice.idOf("bob"), alias: "Bobby", groups: ["Chess"] });
  await alice.methods.setFindable({ on: true, displayName: "Alice Liddell", words: "Oxford" });
  await alice.until(() => alice.buddy("bob")?.alias === "Bobby", "labelled");
  const data = JSON.parse((await alice.methods.exportData({})).json) as Record<string, unknown>;
  expect(data).toMatchObject({
    kith: "export",
    account: { handle: "alice", userId: alice.me.userId, devices: [{ deviceId: alice.me.deviceId }] },
    profile: { on: true, displayName: "Alice Liddell", words: "Oxford" },
    buddies: [{ handle: "bob", state: "buddy", blocked: false, alias: "Bobby", groups: ["Chess"] }],
    conversations: [{ with: "bob", lines: [{ mine: true, text: "kept for you" }] }],
  });
});

test("an administrator invites and admits from the app, and nobody else does", async () => {
  const { server } = await network({ registration: "approval" });
  const admin = await member(server, "anna", server.firstInvitation?.link);
  const { link } = await admin.methods.invite({ uses: 1, days: 1 });
  const alice = await member(server, "alice", link);
  expect(await refusalOf(alice.methods.invite({ uses: 1, days: 1 }))).toBe("administrator-only");
  expect(await refusalOf(alice.methods.decideApplicant({ handle: "bob", admit: true }))).toBe("administrator-only");
  expect(await refusalOf(alice.methods.applicants({}))).toBe("administrator-only");
  const bob = await client(server);
  expect(await refusalOf(bob.signUp("bob"))).toBe("approval-pending");
  expect((await admin.methods.applicants({})).applicants).toMatchObject([{ handle: "bob" }]);
  await admin.methods.decideApplicant({ handle: "bob", admit: true });
  await bob.signIn("bob", PASSWORD);
  expect((await admin.methods.applicants({})).applicants).toEqual([]);
});

test("an invitation of another network sends nothing to this one", async () => {
  const { server } = await network({ registration: "invitation" });
  const one = await client(server);
  const link = server.firstInvitation?.appLink.replace(server.networkId, "0".repeat(40)) ?? "";
  expect(await refusalOf(one.signUp("alice", PASSWORD, link))).toBe("invitation-network");
  expect(await refusalOf(one.signUp("alice", PASSWORD, "https://evil.example/"))).toBe("invitation-malformed");
  expect(await refusalOf(one.signUp("alice"))).toBe("invitation-needed");
  await one.signUp("alice", PASSWORD, server.firstInvitation?.appLink);
});

test("who is blocked is signed out, is told so, and comes back when that ends", async () => {
  const { server, dataFolder } = await network();
  const alice = await member(server, "alice");
  await askAdmin(dataFolder, ADMIN_API.block, { handle: "alice" });
  await alice.until(() => alice.session.phase === "signed-out", "signed out");
  expect(await refusalOf(alice.signIn("alice", PASSWORD))).toBe("account-blocked");
  await askAdmin(dataFolder, ADMIN_API.unblock, { handle: "alice" });
  await alice.signIn("alice", PASSWORD);
});

/** Columns of the server's tables that hold this handle, but the log of certificates, which is for ever. */
async function rowsNaming(dataFolder: string, server: LoginServer, handle: string) {
  await server.close();
  const database = new Libsql(join(dataFolder, "login.db"));
  const tables = (database.prepare("select name from sqlite_master where type = 'table'").all([]) as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("key_log") && !name.startsWith("sqlite"));
  const handle_rows = tables.filter((name) => {
    const rows = database.prepare(`select * from ${name}`).all([]) as Record<string, unknown>[];
    return rows.some((row) => Object.values(row).some((value) => value === handle));
  });
  database.close();
  return { handle_rows };
}
