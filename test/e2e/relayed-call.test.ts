/** Calls between two real apps that go through the network's own relays, with the sound measured. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { readCallStats, readObservation } from "../../scripts/call-observer.ts";
import { accept, meet, ring } from "../../scripts/check-acts.ts";
import { hearEachOther } from "../../scripts/check-hearing.ts";
import type { Actor } from "../../scripts/check-stage.ts";
import { openTwoApps, type TwoApps } from "../support/two-apps.ts";

const SOON = { timeout: 20_000, interval: 100 };
const HIDE = "Hide my address in calls";
/** A watched call moves to its other relay within about a second; busy machines are slower. */
const MAX_GAP_MS = 6_000;

let apps: TwoApps;
let alice: Actor;
let bob: Actor;

beforeAll(async () => {
  apps = await openTwoApps();
  ({ alice, bob } = apps);
  await meet(apps);
});
afterAll(() => apps.close());

beforeEach(async () => {
  await Promise.all([alice.tap.clear(), bob.tap.clear()]);
});
afterEach(async () => {
  for (const { window } of [alice, bob]) await window.ask("hangUp", {}).catch(() => {});
  await Promise.all([alice, bob].map((actor) => expect.poll(() => phaseOf(actor), SOON).toMatch(/idle|ended/)));
});

test("a call is direct, and says so, as long as nobody hides their address", async () => {
  await ring(alice, bob);
  await accept(alice, bob);
  for (const { window } of [alice, bob]) await window.callPath("Direct connection").waitFor();
});

test("who hides their address is heard through a relay, and tells the peer no address of their own", async () => {
  await alice.window.set(HIDE, true);
  const before = await readObservation(alice.window.page);
  await ring(bob, alice);
  await accept(bob, alice);
  expect(await hearEachOther(apps)).toMatchObject({
    alice: { recognised: true },
    bob: { recognised: true },
    stats: { alice: { path: "relayed" }, bob: { path: "relayed" } },
  });
  for (const { window } of [alice, bob]) await window.callPath("Through a relay").waitFor();

  const { candidates } = await readObservation(alice.window.page);
  const told = candidates.slice(before.candidates.length).filter((candidate) => candidate !== "");
  expect(told.length).toBeGreaterThan(0);
  // Nor the related address, from which the relay was reached (RFC 8839, section 5.1).
  for (const candidate of told) expect(candidate).toMatch(/ typ relay raddr 0\.0\.0\.0 rport 0 /);
  // The call's own words never suggest that a relay could listen.
  expect(await alice.window.call.textContent()).not.toMatch(/crypt|secure/i);
});

test("a relayed call survives the death of its relay", async () => {
  await alice.window.set(HIDE, true);
  await ring(alice, bob);
  await accept(alice, bob);
  await hearEachOther(apps);
  const { relay } = await readCallStats(alice.window.page);
  const port = Number(/:(\d+)\?/.exec(relay ?? "")?.[1]);
  const supernode = apps.network.supernodes.find((one) => one.port === port);
  if (supernode === undefined) throw new Error(`no supernode relays at ${relay}`);

  supernode.process.child.kill("SIGKILL");
  const gaps = await Promise.all([alice, bob].map((actor) => longestGapMs(actor, 12_000)));
  for (const gap of gaps) expect(gap).toBeLessThan(MAX_GAP_MS);
  expect(await Promise.all([alice, bob].map(phaseOf))).toEqual(["active", "active"]);
  const after = await readCallStats(alice.window.page);
  expect(after.path).toBe("relayed");
  expect(after.relay).not.toBe(relay);
  await Promise.all([alice.tap.clear(), bob.tap.clear()]);
  expect(await hearEachOther(apps)).toMatchObject({ alice: { recognised: true }, bob: { recognised: true } });
});

/** The longest time without a packet of the peer's sound, looked at for so long. */
async function longestGapMs(actor: Actor, forMs: number): Promise<number> {
  const until = Date.now() + forMs;
  let longest = 0;
  let received = await receivedPackets(actor);
  let receivedAt = Date.now();
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = await receivedPackets(actor);
    if (now !== received) receivedAt = Date.now();
    received = now;
    longest = Math.max(longest, Date.now() - receivedAt);
  }
  return longest;
}

async function receivedPackets({ window }: Actor): Promise<number> {
  return (await readCallStats(window.page)).receivedSoundPackets;
}

async function phaseOf({ window }: Actor) {
  return (await window.ask("snapshot", {})).call.phase;
}
