/** A supernode that hangs closes nothing: whoever is attached there must notice without being told. */
import { expect, test } from "vitest";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

test("a home that hangs is left as soon as something is asked of it, and the message arrives", async () => {
  const network = await TestNetwork.start(0);
  const people: HeadlessClient[] = [];
  try {
    // It has room for Alice alone, and she knows it best.
    const home = await network.addProcess(["--nodes", "1"]);
    const before = await HeadlessClient.signedUp(network.loginServer.url, "alice");
    people.push(before);
    const standby = await network.add();
    await network.acquainted();
    const alice = await before.reopen({ times: { answerDueMs: 500, silenceMs: 2_000 } });
    people.push(alice);
    await until(() => standby.attachedNodes() === 1);
    const bob = await HeadlessClient.signedUp(network.loginServer.url, "bob");
    people.push(bob);
    await alice.befriend(bob);

    home.kill("SIGSTOP");
    await alice.say("bob", "is anybody there?");
    // The pings of the socket would tell after 20 s at the earliest.
    await bob.hears("is anybody there?", 18_000);
    await bob.seesOnline("alice");
    expect(standby.attachedNodes()).toBe(2);
  } finally {
    for (const client of people) await client.close();
    await network.close();
  }
});
