/** A home that takes people in and does nothing of what it says: they must not stay in the dark there. */
import { afterEach, expect, test } from "vitest";
import { HeadlessClient } from "../support/headless-client.ts";
import { type HostileSupernode, startHostileSupernode } from "../support/hostile-supernode.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const times = { homeCheckMs: 300, homeRecheckMs: 200, homeTrustMs: 60_000 };

let network: TestNetwork;
let hostile: HostileSupernode;
const people: HeadlessClient[] = [];

afterEach(async () => {
  for (const client of people.splice(0)) await client.close();
  await hostile?.close();
  await network.close();
});

test("a home that says yes to everything and does none of it is left for an honest one", async () => {
  // The only honest one is full at first, so that Alice ends up where she should not.
  network = await TestNetwork.start(1, { limits: { maxAttachments: 0 } });
  hostile = await startHostileSupernode(network, {}, {});
  const id = hostile.certificate.supernodeId;
  await until(() => network.supernodes.every((one) => one.members().includes(id)));
  const before = await HeadlessClient.signedUp(network.loginServer.url, "alice");
  people.push(before);
  await until(() => hostile.nodes.length > 0);
  await before.close({ keepFolder: true });
  for (let count = 0; count < 2; count++) await network.add();
  await network.acquainted();
  const alice = await before.reopen({ times });
  people.push(alice);
  const bob = await HeadlessClient.signedUp(network.loginServer.url, "bob", { times });
  people.push(bob);
  await alice.befriend(bob);
  await alice.say("bob", "can you hear me?");
  await bob.hears("can you hear me?");
  await bob.say("alice", "now I can");
  await alice.hears("now I can");
  expect(hostile.nodes.length).toBeGreaterThan(1);
});
