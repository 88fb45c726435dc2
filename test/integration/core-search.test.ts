import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

describe("finding people, in the app", () => {
  let network: TestNetwork;
  const clients: HeadlessClient[] = [];

  beforeAll(async () => {
    const generous = { burst: 1e6, perMinute: 1e6 };
    network = await TestNetwork.start(3, { search: { limits: { perUser: generous, publishing: generous } } });
    refusing = await HeadlessClient.signedUp(network.loginServer.url, "refusing");
  });
  let refusing: HeadlessClient;
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });
  afterAll(async () => {
    await refusing.close();
    await network.close();
  });

  const signedUp = async (handle: string) => {
    const client = await HeadlessClient.signedUp(network.loginServer.url, handle);
    clients.push(client);
    return client;
  };
  const found = async (client: HeadlessClient, text: string) => {
    const { people } = await client.methods.searchPeople({ text, cursor: null });
    return people.map(({ handle, displayName }) => `${handle}: ${displayName}`);
  };
  const finds = (client: HeadlessClient, text: string, expected: string[]) =>
    until(
      async () => JSON.stringify(await found(client, text)) === JSON.stringify(expected),
      30_000,
      () => `"${text}" finds ${expected.join() || "nobody"}`,
    );

  it("finds nobody who has not said so, whoever they are", async () => {
    await signedUp("shy.one");
    const asker = await signedUp("asker");
    expect(await found(asker, "shy")).toEqual([]);
    expect((await asker.methods.searchPeople({ text: "shy.one", cursor: null })).cursor).toBeNull();
  });

  it("finds who wants to be found by any word, adds them, and forgets them when they withdraw", async () => {
    const [alice, bob] = [await signedUp("alice"), await signedUp("bob")];
    await alice.methods.setFindable({ on: true, displayName: " Alíce Liddell ", words: "Oxford" });
    expect(alice.me.findable).toEqual({ on: true, displayName: "Alíce Liddell", words: "Oxford" });
    await finds(bob, "ALICE lidd", ["alice: Alíce Liddell"]);
    await finds(bob, "oxf", ["alice: Alíce Liddell"]);
    // Not to herself.
    expect(await found(alice, "alice")).toEqual([]);

    await bob.methods.requestBuddy({ handle: "alice", greeting: "Found you" });
    expect((await alice.until(() => alice.buddy("bob"), "asked")).greeting).toBe("Found you");

    await alice.methods.setFindable({ on: true, displayName: "Alice Hargreaves", words: "" });
    await finds(bob, "harg", ["alice: Alice Hargreaves"]);
    await finds(bob, "liddell", []);
    await alice.methods.setFindable({ on: false, displayName: "Alice Hargreaves", words: "" });
    await finds(bob, "harg", []);
    await finds(bob, "alice", []);
  });

  it("finds who is invisible and who is offline alike, and says nothing of presence", async () => {
    const [carol, dave] = [await signedUp("carol"), await signedUp("dave")];
    await carol.methods.setStatus({ status: "invisible", text: "" });
    await carol.methods.setFindable({ on: true, displayName: "Carol Danvers", words: "" });
    await finds(dave, "danv", ["carol: Carol Danvers"]);
    const whileThere = await dave.methods.searchPeople({ text: "danvers", cursor: null });
    await carol.close();
    const whileAway = await dave.methods.searchPeople({ text: "danvers", cursor: null });
    expect(whileAway).toEqual(whileThere);
    expect(Object.keys(whileThere.people[0] ?? {}).toSorted()).toEqual(["displayName", "handle", "userId", "words"]);
  });

  it("shows on every device of an account whether it can be found, and each can end it", async () => {
    const laptop = await signedUp("erin");
    await laptop.methods.setFindable({ on: true, displayName: "Erin Brock", words: "Reno" });
    const asker = await signedUp("frank");
    await finds(asker, "brock", ["erin: Erin Brock"]);
    const desktop = await HeadlessClient.open(network.loginServer.url);
    clients.push(desktop);
    await desktop.signIn("erin");
    await desktop.until(() => desktop.session.phase === "signed-in" && desktop.me.findable.on, "findable there too");
    expect(desktop.me.findable).toEqual({ on: true, displayName: "Erin Brock", words: "Reno" });
    await desktop.methods.setFindable({ on: false, displayName: "Erin Brock", words: "Reno" });
    await finds(asker, "brock", []);
    await finds(asker, "erin", []);
  });

  it("keeps what was chosen over a restart, and publishes it when there is a connection again", async () => {
    const grace = await signedUp("grace");
    await grace.methods.setFindable({ on: true, displayName: "Grace Hopper", words: "" });
    const again = await grace.reopen();
    clients.splice(clients.indexOf(grace), 1, again);
    expect(again.me.findable).toEqual({ on: true, displayName: "Grace Hopper", words: "" });
    await again.attached();
    const asker = await signedUp("henry");
    await finds(asker, "hopper", ["grace: Grace Hopper"]);
  });

  it.each([
    ["nothing to look for", { text: " ", cursor: null }, "search-too-short"],
    ["ten kilobytes", { text: "a".repeat(10_000), cursor: null }, "too-large"],
    ["a made-up place to go on from", { text: "anna", cursor: "x".repeat(50) }, "search-expired"],
  ])("refuses %s in a sentence", async (_, input, code) => {
    let refused: KithError | null = null;
    try {
      await refusing.methods.searchPeople(input);
    } catch (error) {
      refused = KithError.from(error);
    }
    expect(refused?.code).toBe(code);
    expect(refused?.message).not.toMatch(/[?{}]/);
  });

  it("refuses a name that is too long or of several lines", async () => {
    const ida = await signedUp("ida.l");
    for (const displayName of ["x".repeat(65), "Ida\nLovelace"]) {
      const change = async () => ida.methods.setFindable({ on: true, displayName, words: "" });
      await expect(change()).rejects.toMatchObject({ code: "profile-too-long" });
    }
    expect(ida.me.findable.on).toBe(false);
  });
});
