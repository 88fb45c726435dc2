/** A login server that certifies a second key for somebody is found out, by the very app of whoever it is about. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Handle } from "../../protocol/identifiers.ts";
import { CrookedHost } from "../support/crooked-host.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { TestNetwork } from "../support/test-network.ts";

const times = { ownKeysCheckMs: 0, unlistedKeyRetryMs: 200 };
const alertOf = (client: HeadlessClient, code: string) => client.me.alerts.find((alert) => alert.code === code);

describe("the key log in the app", () => {
  let network: TestNetwork;
  let host: CrookedHost;
  const clients: HeadlessClient[] = [];

  beforeAll(async () => {
    network = await TestNetwork.start(2, { times: { noticesMs: 200, headPushMs: 200 } });
    host = await CrookedHost.of(network);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });
  afterAll(async () => {
    await host.close();
    await network.close();
  });

  let round = 0;
  beforeEach(() => {
    round++;
  });

  /** Each try of a test has people of its own, in the same network. */
  const named = (name: string) => `${name}-${round}`;
  const signedUp = async (name: string) => {
    const client = await HeadlessClient.signedUp(network.loginServer.url, named(name), { times });
    clients.push(client);
    return client;
  };
  const again = async (client: HeadlessClient) => {
    const reopened = await client.reopen({ times });
    clients.splice(clients.indexOf(client), 1, reopened);
    await reopened.attached();
    return reopened;
  };
  const quietly = (client: HeadlessClient) => expect(client.me.alerts).toEqual([]);

  it("warns whose name a second key was issued for, keeps the warning over a restart, and forgets it when told", async () => {
    let alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await host.issueSecondKey(alice.me.handle);
    const alert = await alice.until(() => alertOf(alice, "key-log-second-key"), "the warning");
    expect(alert.message).toContain(named("alice"));
    quietly(bob);

    alice = await again(alice);
    expect(alertOf(alice, "key-log-second-key")?.alertId).toBe(alert.alertId);
    await alice.methods.dismissAlert({ alertId: alert.alertId });
    await alice.until(() => alice.me.alerts.length === 0, "no warning");
    alice = await again(alice);
    quietly(alice);
  });

  it("warns the buddies of whose name got another key, and of whose key the log has never had", async () => {
    const [carol, dave, eve] = [await signedUp("carol"), await signedUp("dave"), await signedUp("eve")];
    await host.issueSecondKey(dave.me.handle);
    await host.hide(eve.me.handle);
    await carol.befriend(dave);
    await carol.befriend(eve);
    const replaced = await carol.until(() => alertOf(carol, "key-log-buddy-replaced"), "a warning about dave");
    expect(replaced.message).toContain(named("dave"));
    const unlisted = await carol.until(() => alertOf(carol, "key-log-unlisted-key"), "a warning about eve");
    expect(unlisted.message).toContain(named("eve"));
  });

  it("says nothing of one's own second device, nor of buddies whose keys are as ever", async () => {
    const [frank, grace] = [await signedUp("frank"), await signedUp("grace")];
    await frank.befriend(grace);
    const phone = await HeadlessClient.open(network.loginServer.url, { times });
    clients.push(phone);
    await phone.signIn(named("frank"));
    await phone.attached();
    await host.issueSecondKey(Handle.parse(named("somebody-else")));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const client of [frank, grace, phone]) quietly(client);
  });

  it("warns everybody when the login server shows two logs", async () => {
    const heidi = await signedUp("heidi");
    const link = await joinRaw(network, network.at(0));
    const known = new Uint8Array(32);
    const rival = network.authority.keyLogHead({
      epoch: 1_000 + round,
      issuedAt: Date.now(),
      root: known.fill(1),
      previous: known,
      skip: known,
    });
    await link.call("tellNotices", { keyLogHead: rival, revocations: new Uint8Array() });
    await heidi.until(() => alertOf(heidi, "key-log-forked"), "the warning");
    link.socket.disconnect();
  });
});
