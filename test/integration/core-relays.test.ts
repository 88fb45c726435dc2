/** Where a client has its calls relayed: what its window is told, at the beginning and when supernodes come and go. */
import { afterEach, expect, test } from "vitest";
import type { IpcPush } from "../../protocol/ipc-schema.ts";
import { DEFAULT_CALL_RELAY } from "../../relay/turn/call-relay-options.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";

let network: TestNetwork;
const clients: HeadlessClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await network.close();
});

async function twoBuddies(): Promise<[HeadlessClient, HeadlessClient]> {
  const [alice, bob] = await Promise.all(
    ["alice", "bob"].map((handle) => HeadlessClient.signedUp(network.loginServer.url, handle)),
  );
  if (alice === undefined || bob === undefined) throw new Error("two clients");
  clients.push(alice, bob);
  await alice.befriend(bob);
  return [alice, bob];
}

async function call(alice: HeadlessClient, bob: HeadlessClient): Promise<void> {
  await alice.methods.dial({ peer: alice.idOf("bob") });
  await bob.inCall("incoming");
  await bob.methods.acceptCall({});
}

function told(client: HeadlessClient, name: "openMedia" | "iceServers"): IpcPush<typeof name> | undefined {
  const push = client.pushes.findLast((one) => one.name === name);
  return push?.value as IpcPush<typeof name> | undefined;
}

const turnPorts = (push: IpcPush<"iceServers"> | undefined) =>
  (push?.iceServers ?? [])
    .flatMap(({ urls, credential }) => urls.map((url) => ({ url, credential })))
    .flatMap(({ url, credential }) => {
      const port = /^turn:127\.0\.0\.1:(\d+)\?transport=tcp$/.exec(url)?.[1];
      return port === undefined || credential === undefined ? [] : [Number(port)];
    });

test("a call is given the relays of home and standby, with credentials for TURN and none for STUN", async () => {
  network = await TestNetwork.start(3);
  const [alice, bob] = await twoBuddies();
  await call(alice, bob);
  await Promise.all([alice.inCall("active"), bob.inCall("active")]);
  for (const client of [alice, bob]) {
    const opened = told(client, "openMedia");
    const ports = turnPorts(opened);
    expect(new Set(ports).size).toBe(2);
    expect(network.supernodes.map(({ port }) => port)).toEqual(expect.arrayContaining(ports));
    const stun = opened?.iceServers.filter(({ urls }) => urls.some((url) => url.startsWith("stun:"))) ?? [];
    expect(stun.map(({ credential, username }) => [credential, username])).toEqual(
      stun.map(() => [undefined, undefined]),
    );
    expect(opened).toMatchObject({ relayOnly: false });
  }
});

test("a supernode that goes away in mid-call is replaced among the relays", async () => {
  network = await TestNetwork.start(3);
  const [alice, bob] = await twoBuddies();
  await call(alice, bob);
  await Promise.all([alice.inCall("active"), bob.inCall("active")]);
  const before = turnPorts(told(alice, "openMedia"));
  const lost = network.supernodes.find(({ port }) => port === before[0]);
  await lost?.close();
  await alice.until(() => {
    const ports = turnPorts(told(alice, "iceServers"));
    return ports.length === 2 && !ports.includes(lost?.port ?? 0);
  }, "another relay");
});

test("who hides their address is given relays only, on every later start too", async () => {
  network = await TestNetwork.start(1);
  const [alice, bob] = await twoBuddies();
  const before = (await alice.methods.snapshot({})).settings;
  expect(before).toMatchObject({ hideAddress: false, beSupernode: false });
  const chosen = { ...before, hideAddress: true, supernodeMbit: 0.5, supernodePort: 4_433 };
  await alice.methods.setSettings({ hideAddress: true });
  await alice.methods.setSettings({ supernodeMbit: 0.5, supernodePort: 4_433 });
  expect(alice.pushes.findLast(({ name }) => name === "settings")?.value).toEqual(chosen);
  const again = await alice.reopen();
  clients.push(again);
  await again.attached();
  await again.seesOnline("bob");
  await bob.seesOnline("alice");
  expect((await again.methods.snapshot({})).settings).toEqual(chosen);
  await call(again, bob);
  await Promise.all([again.inCall("active"), bob.inCall("active")]);
  expect(told(again, "openMedia")).toMatchObject({ relayOnly: true });
  expect(told(bob, "openMedia")).toMatchObject({ relayOnly: false });
});

test("who hides their address where nobody relays is told so, and no call is tried without a relay", async () => {
  network = await TestNetwork.start(2, { relaying: { kind: "off" } });
  const [alice, bob] = await twoBuddies();
  await bob.methods.setSettings({ hideAddress: true });
  await call(alice, bob);
  expect((await bob.inCall("ended")).reason).toBe("media-failed");
  expect(bob.pushes.findLast(({ name }) => name === "notice")?.value).toMatchObject({ code: "no-relay" });
  expect(bob.count("openMedia")).toBe(0);
  // Without that wish the call is direct.
  await bob.methods.setSettings({ hideAddress: false });
  await alice.inCall("ended");
  await call(alice, bob);
  await Promise.all([alice.inCall("active"), bob.inCall("active")]);
  expect(told(bob, "openMedia")).toMatchObject({ iceServers: [], relayOnly: false });
});

test("a supernode with many relays to tell of is believed as far as it keeps to the rules", async () => {
  network = await TestNetwork.start(0);
  const urls = Array.from({ length: 20 }, (_, index) => `turn:relay-${index}.example.org`);
  await network.add({ relaying: { kind: "external", turn: { urls, secret: "a secret of sixteen" } } });
  await network.add({ relaying: { kind: "own", options: DEFAULT_CALL_RELAY } });
  const [alice, bob] = await twoBuddies();
  await call(alice, bob);
  await alice.inCall("active");
  const all = (told(alice, "openMedia")?.iceServers ?? []).flatMap((server) => server.urls);
  expect(all.filter((url) => url.includes("example.org"))).toEqual([]);
  expect(all.some((url) => url.startsWith("turn:127.0.0.1"))).toBe(true);
});
