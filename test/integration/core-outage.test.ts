/** The login server is down for the whole run: those who are signed in call and write, and renew when it is back. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { ageCertificate, storedCertificate } from "../support/aged-profile.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";

const DAY_MS = 24 * 3_600_000;
let network: TestNetwork;
let people: HeadlessClient[] = [];
let revived: LoginServer | null = null;

beforeEach(async () => {
  network = await TestNetwork.start(2);
});
afterEach(async () => {
  for (const client of people.splice(0)) await client.close();
  await revived?.close();
  revived = null;
  await network.close();
});

test("with certificates past half-life and no login server buddies find, call and write each other; all renew when it is back", async () => {
  const names = ["alice", "bob", "carol"];
  for (const name of names) people.push(await HeadlessClient.signedUp(network.loginServer.url, name));
  const [alice, bob, carol] = people as [HeadlessClient, HeadlessClient, HeadlessClient];
  await alice.befriend(bob);
  await bob.befriend(carol);
  for (const client of people) await client.close({ keepFolder: true });
  const aged = new Map<string, number>();
  for (const client of people) {
    await ageCertificate(client.folder, network.authority, 16);
    aged.set(client.folder, (await storedCertificate(client.folder)).issuedAt);
  }
  const { port } = network.loginServer;
  await network.loginServer.close();

  people = await Promise.all(people.map((client) => client.reopen()));
  const [caller, callee, third] = people as [HeadlessClient, HeadlessClient, HeadlessClient];
  for (const client of people) await client.attached();
  await caller.seesOnline("bob");
  await caller.say("bob", "no server needed");
  await callee.hears("no server needed");
  await callee.say("carol", "nor here");
  await third.hears("nor here");
  await caller.methods.dial({ peer: caller.idOf("bob") });
  await callee.inCall("incoming");
  await callee.methods.acceptCall({});
  await Promise.all([caller.inCall("active"), callee.inCall("active")]);
  await caller.methods.hangUp({});
  expect((await callee.inCall("ended")).reason).toBe("peer-hung-up");
  expect(people.map(({ me }) => me.loginServerReachable)).toEqual([false, false, false]);

  revived = await startLoginServer({ dataFolder: network.loginFolder, port, registration: "open" });
  for (const client of people) await client.until(() => client.me.loginServerReachable, "login server back", 60_000);
  await caller.methods.requestBuddy({ handle: "carol", greeting: "" });
  await third.until(() => third.buddy("alice") !== undefined, "request");
  for (const client of people) await client.close({ keepFolder: true });
  for (const client of people) {
    const { issuedAt } = await storedCertificate(client.folder);
    expect(issuedAt).toBeGreaterThan((aged.get(client.folder) ?? 0) + 15 * DAY_MS);
  }
});
