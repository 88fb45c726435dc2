import { expect, test } from "vitest";
import { UserId } from "../../protocol/identifiers.ts";
import type { BuddyEntry } from "../../protocol/login-api.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import { handle, login, register, type SessionClient } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";

const servers = loginServers();
const code = (expected: string) => expect.objectContaining({ code: expected });

async function aliceAndBob() {
  const server = await servers.start();
  const { url } = server;
  const [alice, bob] = await Promise.all([register(url, "alice"), register(url, "bob")]);
  const [atAlice, atBob] = await Promise.all([servers.open(url, alice), servers.open(url, bob)]);
  return { server, url, alice, bob, atAlice, atBob };
}

/** The list as a device has it that was never here before: state by handle. */
async function listOf(session: SessionClient): Promise<Record<string, string>> {
  const { entries } = await session.call("syncBuddies", { since: 0 });
  return Object.fromEntries(entries.map((entry) => [entry.handle, entry.state]));
}

const stateIs = (state: string) => (delta: { entries: BuddyEntry[] }) =>
  delta.entries.some((entry) => entry.state === state);

test("a request reaches the other one at once, with its greeting and the asker's keys", async () => {
  const { server, alice, atAlice, atBob } = await aliceAndBob();
  const mine = await atAlice.call("requestBuddy", { handle: handle("bob"), greeting: "It is me, <b>Alice</b>" });
  expect(mine).toMatchObject({ handle: "bob", state: "asked-by-me", greeting: "It is me, <b>Alice</b>", revision: 1 });
  const { entries } = await atBob.pushed("buddies");
  expect(entries).toMatchObject([
    { userId: alice.userId, handle: "alice", state: "asks-me", greeting: "It is me, <b>Alice</b>", revision: 1 },
  ]);
  const anchor = trustAnchor(server.networkKey, Date.now);
  const { value } = trustUserCertificate(anchor, entries[0]?.certificate ?? new Uint8Array());
  expect([value.handle, Buffer.from(value.boxKey)]).toEqual(["alice", Buffer.from(alice.box.publicKey)]);
});

test("accepting makes both buddies, tells both, and clears the greeting", async () => {
  const { alice, bob, atAlice, atBob } = await aliceAndBob();
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "hello" });
  const entry = await atBob.call("acceptBuddy", { userId: alice.userId });
  expect(entry).toMatchObject({ handle: "alice", state: "buddy", greeting: "" });
  const told = await atAlice.pushed("buddies", stateIs("buddy"));
  expect(told.entries).toMatchObject([{ handle: "bob", state: "buddy", greeting: "" }]);
  await atBob.pushed("buddies", stateIs("buddy"));
  expect([await listOf(atAlice), await listOf(atBob)]).toEqual([{ bob: "buddy" }, { alice: "buddy" }]);
});

test("every device of both sides hears of a change, the one that made it too", async () => {
  const { url, alice, bob, atAlice, atBob } = await aliceAndBob();
  const laptop = await servers.open(url, await login(url, "alice", alice.password));
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "" });
  const pushes = await Promise.all([atAlice, laptop, atBob].map((session) => session.pushed("buddies")));
  expect(pushes.map(({ entries }) => entries[0]?.state)).toEqual(["asked-by-me", "asked-by-me", "asks-me"]);
});

test("two requests that cross make buddies", async () => {
  const { alice, bob, atAlice, atBob } = await aliceAndBob();
  const answers = await Promise.all([
    atAlice.call("requestBuddy", { handle: bob.handle, greeting: "a" }),
    atBob.call("requestBuddy", { handle: alice.handle, greeting: "b" }),
  ]);
  expect(answers.map(({ state }) => state).sort()).toEqual(["asked-by-me", "buddy"]);
  expect([await listOf(atAlice), await listOf(atBob)]).toEqual([{ bob: "buddy" }, { alice: "buddy" }]);
});

test("declining ends the request on both sides; declining again is no error", async () => {
  const { alice, bob, atAlice, atBob } = await aliceAndBob();
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "hello" });
  expect(await atBob.call("declineBuddy", { userId: alice.userId })).toEqual({});
  await atAlice.pushed("buddies", stateIs("removed"));
  await atBob.call("declineBuddy", { userId: alice.userId });
  expect([await listOf(atAlice), await listOf(atBob)]).toEqual([{ bob: "removed" }, { alice: "removed" }]);
  await expect(atBob.call("acceptBuddy", { userId: alice.userId })).rejects.toEqual(code("no-such-request"));
});

test("removing ends a friendship on both sides, and either may ask again", async () => {
  const { alice, bob, atAlice, atBob } = await aliceAndBob();
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "" });
  await atBob.call("acceptBuddy", { userId: alice.userId });
  await atBob.call("removeBuddy", { userId: alice.userId });
  await atAlice.pushed("buddies", stateIs("removed"));
  await atBob.call("removeBuddy", { userId: alice.userId });
  expect([await listOf(atAlice), await listOf(atBob)]).toEqual([{ bob: "removed" }, { alice: "removed" }]);
  await atBob.call("requestBuddy", { handle: alice.handle, greeting: "sorry" });
  expect([await listOf(atAlice), await listOf(atBob)]).toEqual([{ bob: "asks-me" }, { alice: "asked-by-me" }]);
});

test("an asker can take the request back", async () => {
  const { alice, bob, atAlice, atBob } = await aliceAndBob();
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "" });
  await atAlice.call("removeBuddy", { userId: bob.userId });
  await atBob.pushed("buddies", stateIs("removed"));
  await expect(atBob.call("acceptBuddy", { userId: alice.userId })).rejects.toEqual(code("no-such-request"));
});

test("what makes no sense is refused by its code and changes nothing", async () => {
  const { alice, bob, atAlice, atBob } = await aliceAndBob();
  const ask = (name: string) => atAlice.call("requestBuddy", { handle: handle(name), greeting: "" });
  const stranger = UserId.parse("00".repeat(20));
  await expect(ask("alice")).rejects.toEqual(code("buddy-is-self"));
  await expect(ask("nobody")).rejects.toMatchObject({ code: "no-such-user", details: { handle: "nobody" } });
  await expect(atAlice.call("acceptBuddy", { userId: bob.userId })).rejects.toEqual(code("no-such-request"));
  await expect(atAlice.call("acceptBuddy", { userId: stranger })).rejects.toEqual(code("no-such-request"));
  await expect(atAlice.call("declineBuddy", { userId: stranger })).rejects.toEqual(code("no-such-request"));
  await ask("bob");
  await expect(ask("bob")).rejects.toEqual(code("already-requested"));
  await expect(atAlice.call("acceptBuddy", { userId: bob.userId })).rejects.toEqual(code("no-such-request"));
  await atBob.call("acceptBuddy", { userId: alice.userId });
  await expect(ask("bob")).rejects.toEqual(code("already-buddies"));
  expect(await atBob.call("acceptBuddy", { userId: alice.userId })).toMatchObject({ state: "buddy" });
  expect((await atAlice.call("syncBuddies", { since: 0 })).revision).toBe(2);
});

test("a device that was away learns of everything since, removals too, and of nothing twice", async () => {
  const { url, alice, bob, atAlice } = await aliceAndBob();
  const carol = await servers.open(url, await register(url, "carol"));
  await carol.call("requestBuddy", { handle: alice.handle, greeting: "" });
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "" });
  const before = await atAlice.call("syncBuddies", { since: 0 });
  atAlice.close();
  await carol.call("removeBuddy", { userId: alice.userId });
  const back = await servers.open(url, alice);
  const delta = await back.call("syncBuddies", { since: before.revision });
  expect(delta.entries.map(({ handle, state }) => [handle, state])).toEqual([["carol", "removed"]]);
  expect(await back.call("syncBuddies", { since: delta.revision })).toMatchObject({ entries: [], more: false });
});

test("lines come oldest change first, each at its own revision", async () => {
  const { url, alice, atAlice } = await aliceAndBob();
  for (const name of ["carol", "dave", "erin"]) await register(url, name);
  for (const name of ["carol", "dave", "erin"]) {
    await atAlice.call("requestBuddy", { handle: handle(name), greeting: "" });
  }
  const { entries } = await atAlice.call("syncBuddies", { since: 0 });
  await atAlice.call("removeBuddy", { userId: entries[0]?.userId ?? alice.userId });
  const after = await atAlice.call("syncBuddies", { since: 0 });
  expect(after.entries.map(({ handle }) => handle)).toEqual(["dave", "erin", "carol"]);
  expect(after.entries.map(({ revision }) => revision)).toEqual([2, 3, 4]);
});

test("a device that knows of a later revision than the server, restored from a backup, gets everything", async () => {
  const { bob, atAlice } = await aliceAndBob();
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "" });
  const delta = await atAlice.call("syncBuddies", { since: 1_000 });
  expect(delta).toMatchObject({ entries: [{ handle: "bob" }], revision: 1, more: false });
});

test("the greeting has its limit, and a request of the wrong shape is malformed", async () => {
  const { atAlice } = await aliceAndBob();
  for (const input of [
    { handle: "bob", greeting: "x".repeat(201) },
    { handle: "BOB", greeting: "" },
    { handle: 7 },
    null,
  ]) {
    const answer: unknown = await atAlice.socket.timeout(2_000).emitWithAck("requestBuddy", input);
    expect(answer).toMatchObject({ ok: false, error: { code: "malformed" } });
  }
  expect(await listOf(atAlice)).toEqual({});
});

test("asking is limited per account, whatever the number of its sessions", async () => {
  const server = await servers.start({ rates: { buddyRequest: { burst: 1, perSecond: 0.001 } } });
  const alice = await register(server.url, "alice");
  await register(server.url, "bob");
  const first = await servers.open(server.url, alice);
  await first.call("requestBuddy", { handle: handle("bob"), greeting: "" });
  const second = await servers.open(server.url, await login(server.url, "alice", alice.password));
  await expect(second.call("requestBuddy", { handle: handle("bob"), greeting: "" })).rejects.toEqual(
    code("rate-limited"),
  );
});

test("whoever has declined is asked a few times more and then left in peace, and others can still be asked", async () => {
  const { url } = await servers.start({ rates: { buddyRequestAgain: { burst: 2, perSecond: 0.001 } } });
  const [alice, bob] = [await register(url, "alice"), await register(url, "bob")];
  await register(url, "carol");
  const [atAlice, atBob] = [await servers.open(url, alice), await servers.open(url, bob)];
  const ask = (name: string) => atAlice.call("requestBuddy", { handle: handle(name), greeting: "please" });
  for (const _ of [1, 2]) {
    await ask("bob");
    await atBob.call("declineBuddy", { userId: alice.userId });
  }
  await expect(ask("bob")).rejects.toMatchObject({ code: "rate-limited", details: { seconds: 1_000 } });
  await ask("carol");
});
