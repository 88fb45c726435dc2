/** An operator restarts a supernode: whoever is attached there moves, and nobody notices. */
import { afterEach, expect, test } from "vitest";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNode } from "../support/node-api-client.ts";
import { type ForkedSupernode, TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

let network: TestNetwork;
const clients: HeadlessClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await network.close();
});

async function signedUp(handle: string): Promise<HeadlessClient> {
  const client = await HeadlessClient.signedUp(network.loginServer.url, handle);
  clients.push(client);
  return client;
}

test("a drained supernode's people move without a gap in presence or messages, and it ends by itself", async () => {
  network = await TestNetwork.start(0);
  const supernodes: ForkedSupernode[] = [];
  for (let count = 0; count < 3; count++) supernodes.push(await network.addProcess(["--drain-seconds", "50"]));
  const [alice, bob] = [await signedUp("alice"), await signedUp("bob")];
  await alice.befriend(bob);
  const looker = await TestNode.attach((supernodes[0] as ForkedSupernode).certificate, network.authority.device());
  const { devices } = await looker.call("lookUp", { userId: bob.me.userId });
  looker.close();
  const home = supernodes.find(({ supernodeId }) => supernodeId === devices[0]?.home) as ForkedSupernode;

  const before = alice.pushes.length;
  home.kill("SIGTERM");
  const sent: string[] = [];
  for (let number = 0; number < 20; number++) {
    const text = `while you move ${number}`;
    await alice.say("bob", text);
    sent.push(text);
  }
  expect(await home.process.ended).toBe(0);
  for (const text of sent) await bob.hears(text);
  expect(await bob.texts("alice")).toEqual(sent);
  await bob.say("alice", "here I am");
  await alice.hears("here I am");

  const seen = alice.pushes.slice(before).flatMap(({ name, value }) => (name === "buddies" ? value : []));
  expect(new Set(seen.map(({ presence }) => presence))).toEqual(new Set(["online"]));
  const states = bob.pushes.flatMap(({ name, value }) => (name === "session" ? [value] : []));
  expect(states.at(-1)).toMatchObject({ phase: "signed-in", attached: true });
  await until(() => alice.me.attached && bob.me.attached);
});
