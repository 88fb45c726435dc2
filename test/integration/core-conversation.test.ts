import { afterEach, beforeEach, expect, test } from "vitest";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";

let network: TestNetwork;
const clients: HeadlessClient[] = [];

beforeEach(async () => {
  network = await TestNetwork.start(3);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await network.close();
});

async function signedUp(handle: string): Promise<HeadlessClient> {
  const client = await HeadlessClient.signedUp(network.loginServer.url, handle);
  clients.push(client);
  return client;
}

test("two people become buddies, see each other and talk both ways", async () => {
  const alice = await signedUp("alice");
  const bob = await signedUp("bob");
  await alice.befriend(bob);

  await alice.say("bob", "Hello Bob");
  await bob.hears("Hello Bob");
  await bob.say("alice", "Hello Alice");
  await alice.hears("Hello Alice");

  await alice.line((line) => line.kind === "text" && line.mine && line.delivery === "delivered", "delivered");
  await bob.methods.markRead({ peer: bob.idOf("alice") });
  await alice.line((line) => line.kind === "text" && line.mine && line.delivery === "read", "read");
  expect(await alice.texts("bob")).toEqual(["Hello Bob", "Hello Alice"]);
  expect(await bob.texts("alice")).toEqual(["Hello Bob", "Hello Alice"]);
});

test("a call rings, connects after Accept, and ends on both sides with its duration", async () => {
  const alice = await signedUp("alice");
  const bob = await signedUp("bob");
  await alice.befriend(bob);

  await alice.methods.dial({ peer: alice.idOf("bob") });
  await bob.inCall("incoming");
  await alice.until(() => alice.call.phase === "outgoing" && alice.call.ringing, "ringing");
  expect(bob.mayUseMicrophone).toBe(false);
  expect(alice.mayUseMicrophone).toBe(false);

  await bob.methods.acceptCall({});
  await Promise.all([alice.inCall("active"), bob.inCall("active")]);
  expect(bob.mayUseMicrophone).toBe(true);

  await alice.methods.hangUp({});
  expect((await bob.inCall("ended")).reason).toBe("peer-hung-up");
  expect((await alice.inCall("ended")).reason).toBe("hung-up");
  const line = await bob.line((entry) => entry.kind === "call", "call line");
  expect(line).toMatchObject({ kind: "call", mine: false, reason: "peer-hung-up", durationMs: expect.any(Number) });
  expect(bob.mayUseMicrophone).toBe(false);
});
