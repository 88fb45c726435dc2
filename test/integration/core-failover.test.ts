/** What the network loses, its users do not notice: supernodes and the login server may go at any time. */
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNode } from "../support/node-api-client.ts";
import { TestNetwork, type TestSupernode } from "../support/test-network.ts";
import { until } from "../support/until.ts";

let network: TestNetwork;
let alice: HeadlessClient;
let bob: HeadlessClient;

beforeEach(async () => {
  network = await TestNetwork.start(3);
  alice = await HeadlessClient.signedUp(network.loginServer.url, "alice");
  bob = await HeadlessClient.signedUp(network.loginServer.url, "bob");
  await alice.befriend(bob);
});

afterEach(async () => {
  await alice.close();
  await bob.close();
  await network.close();
});

/** The supernode that the directory names as this client's home. */
async function homeOf(client: HeadlessClient): Promise<TestSupernode> {
  const looker = await TestNode.attach(network.at(0), network.authority.device());
  const { devices } = await looker.call("lookUp", { userId: client.me.userId });
  looker.socket.disconnect();
  const home = network.supernodes.find(({ supernodeId }) => supernodeId === devices[0]?.home);
  if (!home) throw new Error("no home");
  return home;
}

/** Each is attached twice: home and warm standby. */
function warm(): Promise<void> {
  return until(() => network.supernodes.reduce((sum, one) => sum + one.attachedNodes(), 0) >= 4, 10_000);
}

test("a home supernode that dies in mid-chat loses nothing and doubles nothing", async () => {
  await warm();
  const home = await homeOf(bob);
  const sent: string[] = [];
  for (let index = 0; index < 30; index++) {
    const text = `message ${index}`;
    await alice.say("bob", text);
    sent.push(text);
    if (index === 10) void home.close();
  }
  for (const text of sent) await bob.hears(text, 20_000);
  await bob.say("alice", "all here");
  await alice.hears("all here");
  expect(await bob.texts("alice")).toEqual([...sent, "all here"]);
  const texts = [...bob.lines.values()].filter((line) => line.kind === "text" && !line.mine);
  expect(texts).toHaveLength(sent.length);
});

test("the warm standby is home at once, and the buddy is seen online there", async () => {
  await warm();
  const home = await homeOf(bob);
  const closed = home.close();
  await alice.say("bob", "are you there?");
  await bob.hears("are you there?", 5_000);
  await alice.seesOnline("bob", 5_000);
  await closed;
});

test("a call survives the death of both homes, and its end is told", async () => {
  await warm();
  await alice.methods.dial({ peer: alice.idOf("bob") });
  await bob.inCall("incoming");
  await bob.methods.acceptCall({});
  await Promise.all([alice.inCall("active"), bob.inCall("active")]);
  const homes = new Set([await homeOf(alice), await homeOf(bob)]);
  for (const home of homes) await home.close();
  await until(async () => alice.me.attached && bob.me.attached, 10_000);
  await alice.methods.hangUp({});
  expect((await bob.inCall("ended")).reason).toBe("peer-hung-up");
});

test("without the login server presence, messages and calls go on, and a restart needs it neither", async () => {
  await network.loginServer.close();
  await alice.until(() => !alice.me.loginServerReachable, "login server missed");
  await alice.say("bob", "still here");
  await bob.hears("still here");
  await expect(alice.methods.requestBuddy({ handle: "carol", greeting: "" })).rejects.toMatchObject({
    code: "login-server-unreachable",
  });

  bob = await bob.reopen();
  await bob.attached();
  await bob.seesOnline("alice");
  await bob.say("alice", "back without it");
  await alice.hears("back without it");
});

test("with every supernode gone a message waits, and leaves when one is back", async () => {
  const { dataFolder } = network.supernodes[0] as TestSupernode;
  const port = network.at(0).port;
  await Promise.all(network.supernodes.map((supernode) => supernode.close()));
  await alice.until(
    () => !alice.me.attached && alice.me.notices.some(({ code }) => code === "supernode-unreachable"),
    "alone",
  );
  const line = await alice.say("bob", "later then");
  expect(line).toMatchObject({ delivery: "waiting" });
  await network.add({ dataFolder, port });
  await bob.hears("later then", 60_000);
}, 90_000);

test("closing does not wait for servers that do not answer", async () => {
  const silent = createServer(() => undefined);
  await network.loginServer.close();
  await new Promise<void>((resolve) => silent.listen(network.loginServer.port, "127.0.0.1", resolve));
  try {
    bob = await bob.reopen();
    await bob.attached();
    const startedAt = performance.now();
    await bob.close();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  } finally {
    silent.close();
  }
});
