/** A supernode that its network's host removes, with everything real: the command, the other supernodes, the apps. */
import { afterEach, expect, test } from "vitest";
import { administrate } from "../../login-server/administration/admin-cli.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { startSupernode } from "../../relay/supernode.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { joinRaw, startHostileSupernode } from "../support/hostile-supernode.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const TIMES = { times: { noticesMs: 300, sweepMs: 300 }, gossipTimes: { sweepMs: 300 } };
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function networkOf(count: number): Promise<TestNetwork> {
  const network = await TestNetwork.start(count, TIMES);
  cleanUps.push(() => network.close());
  return network;
}

async function signedUp(network: TestNetwork, name: string): Promise<HeadlessClient> {
  const client = await HeadlessClient.signedUp(network.loginServer.url, name);
  cleanUps.push(() => client.close());
  return client;
}

const remove = (network: TestNetwork, supernodeId: SupernodeId) =>
  administrate(["--data", network.loginFolder, "remove-supernode", supernodeId], {}, () => undefined);

test("a supernode that is removed says goodbye, ends, and starts neither from its folder nor from an empty one", async () => {
  const network = await networkOf(3);
  const client = await signedUp(network, "alice");
  const [one, two, removed] = network.supernodes;
  if (!one || !two || !removed) throw new RangeError("three supernodes");
  await remove(network, removed.supernodeId);
  await removed.removed;
  for (const other of [one, two]) await until(() => !other.members().includes(removed.supernodeId));
  // Both of its links are elsewhere now, wherever they were.
  await until(() => one.attachedNodes() === 1 && two.attachedNodes() === 1, 60_000);
  await client.attached();
  const again = startSupernode(network.options({ dataFolder: removed.dataFolder }));
  expect(await codeOf(again)).toBe("supernode-removed");
  expect(await codeOf(startSupernode(network.options()))).toBe("enrolment-refused");
});

test("one that goes on all the same is no member, joins nobody, and the apps that were there leave it", async () => {
  const network = await networkOf(2);
  const hostile = await startHostileSupernode(network, {}, {});
  cleanUps.push(() => hostile.close());
  const { supernodeId, serial } = hostile.certificate;
  await until(() => network.supernodes.every((one) => one.members().includes(supernodeId)));
  const clients = [await signedUp(network, "alice"), await signedUp(network, "bob"), await signedUp(network, "carol")];
  await until(() => hostile.nodes.length > 0, 60_000);

  await remove(network, supernodeId);
  await until(() => network.supernodes.every((one) => !one.members().includes(supernodeId)));
  // All links of all three, a home and a standby each.
  await until(() => network.supernodes.every((one) => one.attachedNodes() === clients.length), 60_000);
  for (const client of clients) await client.attached();
  for (const index of [0, 1]) {
    expect(await codeOf(joinRaw(network, network.at(index), { certificate: { serial } }))).toBe("certificate-revoked");
  }
  expect(network.supernodes.some((one) => one.members().includes(supernodeId))).toBe(false);
});
