import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { makeFolder, removeFolder } from "../support/login-server-fixture.ts";

const closers: (() => unknown)[] = [];
let server: LoginServer;
let dataFolder: string;

beforeEach(async () => {
  dataFolder = makeFolder();
  server = await startLoginServer({ dataFolder, registration: "open" });
  closers.push(
    () => removeFolder(dataFolder),
    () => server.close(),
  );
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Signed in and in session with the login server; there are no supernodes here. */
async function person(handle: string, enter: "signUp" | "signIn" = "signUp"): Promise<HeadlessClient> {
  const one = await HeadlessClient.open(server.url);
  closers.push(() => one.close());
  await one[enter](handle);
  await one.until(() => one.session.phase === "signed-in" && one.session.loginServerReachable, "login server reached");
  return one;
}

async function befriended(): Promise<[HeadlessClient, HeadlessClient]> {
  const alice = await person("alice");
  const bob = await person("bob");
  await alice.methods.requestBuddy({ handle: "bob", greeting: "" });
  await bob.until(() => bob.buddy("alice"), "asked");
  await bob.methods.acceptBuddy({ userId: bob.idOf("alice") });
  await alice.until(() => alice.buddy("bob")?.relation === "buddy", "buddies");
  return [alice, bob];
}

test("who is blocked is gone from both lists, asks in vain, and sees only that nobody answers", async () => {
  const [alice, bob] = await befriended();
  const blocked = { userId: alice.idOf("bob"), handle: "bob" };
  await alice.methods.blockBuddy({ userId: blocked.userId });
  await alice.until(() => !alice.buddy("bob"), "bob gone");
  await bob.until(() => !bob.buddy("alice"), "alice gone");
  await bob.methods.requestBuddy({ handle: "alice", greeting: "Why not?" });
  await bob.until(() => bob.buddy("alice")?.relation === "asked-by-me", "asked");
  // Another change of her list, which comes after any that bob's request could have made.
  const carol = await person("carol");
  await carol.methods.requestBuddy({ handle: "alice", greeting: "" });
  await alice.until(() => alice.buddy("carol"), "carol asks");
  expect(alice.buddy("bob")).toBeUndefined();
  expect(await alice.methods.blocked({})).toEqual({ people: [blocked] });
});

test("a block holds on every device, and ends when its owner ends it", async () => {
  const [alice, bob] = await befriended();
  const userId = alice.idOf("bob");
  await alice.methods.blockBuddy({ userId });
  const laptop = await person("alice", "signIn");
  expect((await laptop.methods.blocked({})).people).toMatchObject([{ handle: "bob" }]);
  await laptop.methods.unblockBuddy({ userId });
  await bob.until(() => !bob.buddy("alice"), "alice gone");
  await bob.methods.requestBuddy({ handle: "alice", greeting: "" });
  await alice.until(() => alice.buddy("bob")?.relation === "asks-me", "bob asks");
  expect((await alice.methods.blocked({})).people).toEqual([]);
});

test("asking somebody that one has blocked ends the block", async () => {
  const [alice, bob] = await befriended();
  await alice.methods.blockBuddy({ userId: alice.idOf("bob") });
  await alice.until(() => !alice.buddy("bob"), "bob gone");
  await alice.methods.requestBuddy({ handle: "bob", greeting: "" });
  await bob.until(() => bob.buddy("alice")?.relation === "asks-me", "asked");
  await bob.methods.acceptBuddy({ userId: bob.idOf("alice") });
  await alice.until(() => alice.buddy("bob")?.relation === "buddy", "buddies");
  expect((await alice.methods.blocked({})).people).toEqual([]);
});

test("alias and groups reach the own devices, also those that were away, and neither the server nor the buddy reads them", async () => {
  const [alice, bob] = await befriended();
  const away = await person("alice", "signIn");
  await away.close({ keepFolder: true });
  const label = { alias: "Robert of the choir", groups: ["Choir", "Neighbours in Elm Street"] };
  await alice.methods.labelBuddy({ userId: alice.idOf("bob"), ...label, groups: [...label.groups, " Choir ", ""] });
  await alice.until(() => alice.buddy("bob")?.alias === label.alias, "named");
  const back = await away.reopen();
  closers.push(() => back.close());
  await back.until(() => back.buddy("bob")?.alias === label.alias, "named there too");
  expect(back.buddy("bob")).toMatchObject(label);
  expect(bob.buddy("alice")).toMatchObject({ alias: "", groups: [] });
  await server.close();
  const stored = readFileSync(join(dataFolder, "login.db"), "latin1");
  for (const secret of [label.alias, ...label.groups]) expect(stored).not.toContain(secret);
});

test("a name that is taken away is gone, and one that does not fit is refused", async () => {
  const [alice] = await befriended();
  const userId = alice.idOf("bob");
  await alice.methods.labelBuddy({ userId, alias: "Robert", groups: [] });
  await alice.until(() => alice.buddy("bob")?.alias === "Robert", "named");
  const long = Array.from({ length: 8 }, (_, index) => `${index}${"ö".repeat(60)}`);
  await expect(alice.methods.labelBuddy({ userId, alias: "", groups: long })).rejects.toMatchObject({
    code: "too-large",
  });
  await alice.methods.labelBuddy({ userId, alias: " ", groups: [] });
  await alice.until(() => alice.buddy("bob")?.alias === "", "nameless");
});
