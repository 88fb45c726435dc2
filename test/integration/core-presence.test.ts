/** What buddies see of each other: statuses, coming and going, being invisible. */
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { UserId } from "../../protocol/identifiers.ts";
import { decodeLease } from "../../protocol/lease.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNode } from "../support/node-api-client.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

let network: TestNetwork;
let alice: HeadlessClient;
let bob: HeadlessClient;
let round = 0;

beforeAll(async () => {
  network = await TestNetwork.start(3);
});
afterAll(() => network.close());

beforeEach(async () => {
  round++;
  alice = await HeadlessClient.signedUp(network.loginServer.url, `alice${round}`);
  bob = await HeadlessClient.signedUp(network.loginServer.url, `bob${round}`);
  await alice.befriend(bob);
});
afterEach(async () => {
  await alice.close();
  await bob.close();
});

const handleOf = (client: HeadlessClient) => client.me.handle;

test("a status and its words are seen by buddies as soon as they are chosen", async () => {
  await bob.methods.setStatus({ status: "busy", text: " in a meeting " });
  await alice.until(() => alice.buddy(handleOf(bob))?.statusText === "in a meeting", "words");
  expect(alice.buddy(handleOf(bob))?.presence).toBe("busy");
  await bob.methods.setStatus({ status: "away", text: "" });
  await alice.sees(handleOf(bob), "away");
  expect(alice.buddy(handleOf(bob))?.statusText).toBe("");
});

test("a status outlives a restart", async () => {
  await bob.methods.setStatus({ status: "away", text: "lunch" });
  bob = await bob.reopen();
  await bob.attached();
  expect(bob.me).toMatchObject({ status: "away", statusText: "lunch" });
  await alice.until(() => alice.buddy(handleOf(bob))?.statusText === "lunch", "words");
});

test("a normal exit is seen at once, with the time of it", async () => {
  const before = Date.now();
  await bob.close();
  const seen = await alice.sees(handleOf(bob), "offline", 5_000);
  expect(seen.lastSeenAt).toBeGreaterThanOrEqual(before - 1_000);
  expect(seen.lastSeenAt).toBeLessThanOrEqual(Date.now() + 1_000);
});

test("someone invisible looks offline and still writes, hears and is told what became of it", async () => {
  await bob.methods.setStatus({ status: "invisible", text: "" });
  await alice.sees(handleOf(bob), "offline");
  await bob.seesOnline(handleOf(alice));

  await alice.say(handleOf(bob), "are you there?");
  await bob.hears("are you there?");
  await bob.say(handleOf(alice), "yes, but hush");
  await alice.hears("yes, but hush");
  await bob.line((line) => line.kind === "text" && line.mine && line.delivery === "delivered", "delivered");
  expect(alice.buddy(handleOf(bob))?.presence).toBe("offline");

  await bob.methods.setStatus({ status: "online", text: "" });
  await alice.seesOnline(handleOf(bob));
});

test("someone who starts invisible is never seen, and gets what was said meanwhile", async () => {
  await bob.methods.setStatus({ status: "invisible", text: "" });
  await bob.close({ keepFolder: true });
  const { lastSeenAt } = await alice.sees(handleOf(bob), "offline");
  await alice.say(handleOf(bob), "while you were away");
  const seen = alice.pushes.length;
  bob = await bob.reopen();
  await bob.hears("while you were away", 40_000);
  const views = alice.pushes.slice(seen).flatMap((push) => (push.name === "buddies" ? push.value : []));
  expect(views.map(({ presence }) => presence)).not.toContain("online");
  expect(new Set(views.map((view) => view.lastSeenAt))).toEqual(new Set([lastSeenAt]));
}, 60_000);

test("someone invisible is to strangers, whatever they try, as somebody who is not there", async () => {
  const stranger = await TestNode.online(network.at(0), network.authority.device());
  const absent = network.authority.device();
  const before = await TestNode.online(network.at(1), absent);
  await before.register({ validityMs: 0 });
  await before.call("detach", {});
  const look = async (userId: UserId) => (await stranger.call("lookUp", { userId })).devices[0];
  try {
    await bob.methods.setStatus({ status: "invisible", text: "" });
    await alice.sees(handleOf(bob), "offline");
    const hidden = await look(bob.me.userId);
    expect(hidden).toMatchObject({ state: "gone" });
    // After a restart there is another lease, which must say no more than the one before.
    bob = await bob.reopen();
    await bob.attached();
    await until(async () => (await look(bob.me.userId))?.inbox !== hidden?.inbox);
    const again = await look(bob.me.userId);
    expect(again).toMatchObject({ state: "gone", lastSeenAt: hidden?.lastSeenAt });
    const [first, second] = [hidden, again].map((device) => decodeLease(device?.lease ?? new Uint8Array()).value);
    expect(second?.issuedAt).toBe(first?.issuedAt);
    expect((second?.sequence ?? 0) - (first?.sequence ?? 0)).toBeLessThan(100);
    const gone = await look(absent.userId);
    for (const device of [again, gone]) {
      if (!device) throw new Error("nowhere");
      expect(await stranger.send(device, randomBytes(300))).toEqual({ delivered: false });
    }
    await alice.say(handleOf(bob), "but I know you");
    await bob.hears("but I know you");
  } finally {
    stranger.close();
    before.close();
  }
});

test("what was said to somebody who is away is waiting, and arrives with them", async () => {
  await bob.close({ keepFolder: true });
  await alice.sees(handleOf(bob), "offline");
  for (const text of ["one", "two", "three"]) {
    expect(await alice.say(handleOf(bob), text)).toMatchObject({ delivery: "waiting" });
  }
  bob = await bob.reopen();
  for (const text of ["one", "two", "three"]) await bob.hears(text);
  expect(await bob.texts(handleOf(alice))).toEqual(["one", "two", "three"]);
  await bob.until(() => bob.buddy(handleOf(alice))?.unread === 3, "unread");
  await bob.methods.markRead({ peer: alice.me.userId });
  await bob.until(() => bob.buddy(handleOf(alice))?.unread === 0, "read");
});
