/** Calls between two real apps, with the sound measured that each of them plays. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readCallStats, readObservation } from "../../scripts/call-observer.ts";
import { accept, meet, ring } from "../../scripts/check-acts.ts";
import { hear, hearEachOther } from "../../scripts/check-hearing.ts";
import type { Actor } from "../../scripts/check-stage.ts";
import { openTwoApps, type TwoApps } from "../support/two-apps.ts";

/** The page's global, as far as it is used here. */
declare const navigator: {
  readonly mediaDevices: { getUserMedia(constraints: { audio: true }): Promise<unknown> };
};

const RING_MS = 6_000;
const SOON = { timeout: 20_000, interval: 100 };

let apps: TwoApps;
let alice: Actor;
let bob: Actor;

beforeAll(async () => {
  apps = await openTwoApps({ ringMs: RING_MS });
  ({ alice, bob } = apps);
  await meet(apps);
});
afterAll(() => apps.close());

beforeEach(async () => {
  await Promise.all([alice.tap.clear(), bob.tap.clear()]);
});
// A test that fails in mid-call must not fail the next one too.
afterEach(async () => {
  for (const { window } of [alice, bob]) await window.ask("hangUp", {}).catch(() => {});
  await Promise.all([alice, bob].map((actor) => expect.poll(() => phaseOf(actor), SOON).toMatch(/idle|ended/)));
});

describe("a call that is accepted", () => {
  test("carries each one's speech to the other and nothing back, until the caller hangs up", async () => {
    await ring(alice, bob);
    expect(await accept(alice, bob)).toBeLessThan(10_000);
    expect(await hearEachOther(apps)).toMatchObject({
      alice: { recognised: true },
      bob: { recognised: true },
      stats: { alice: { path: "direct" }, bob: { path: "direct" } },
    });

    await alice.window.hangUpButton.click();
    await expectEnd(alice, bob, "hung-up");
    await expectEnd(bob, alice, "peer-hung-up");
    for (const { window } of [alice, bob]) {
      await window.call.waitFor({ state: "hidden" });
      await window.line(/^Duration 0:\d\d$/).waitFor();
    }
  });

  test("falls silent when muted, sounds again after that, and ends when the callee hangs up", async () => {
    await ring(bob, alice);
    await accept(bob, alice);
    await expect.poll(() => hear(alice, bob), { ...SOON, timeout: 60_000 }).toMatchObject({ recognised: true });

    await bob.window.muteButton.click();
    await expect.poll(() => latestLevel(alice), SOON).toBeLessThan(0.001);
    const before = await readCallStats(bob.window.page);
    await alice.tap.clear();
    await wait(2_000);
    const after = await readCallStats(bob.window.page);
    expect(await hear(alice, bob)).toMatchObject({ recognised: false, heardSeconds: 0 });
    // Not even comfort noise is sent.
    expect(after.sentSoundPackets).toBe(before.sentSoundPackets);

    await bob.window.muteButton.click();
    await expect.poll(() => hear(alice, bob), { ...SOON, timeout: 60_000 }).toMatchObject({ recognised: true });
    await alice.window.hangUpButton.click();
    await expectEnd(alice, bob, "hung-up");
    await expectEnd(bob, alice, "peer-hung-up");
  });

  test("needs no accept when both have called each other at the same moment", async () => {
    await bothPressCall();
    expect(await alice.window.acceptButton.isVisible()).toBe(false);
    expect(await bob.window.acceptButton.isVisible()).toBe(false);
    const [ofAlice, ofBob] = [await callOf(alice), await callOf(bob)];
    expect(new Set([ofAlice.direction, ofBob.direction])).toEqual(new Set(["outgoing", "incoming"]));
    expect(ofAlice.callId).toBe(ofBob.callId);
    expect(await hearEachOther(apps)).toMatchObject({ alice: { recognised: true }, bob: { recognised: true } });

    await bob.window.hangUpButton.click();
    await expectEnd(bob, alice, "hung-up");
    await expectEnd(alice, bob, "peer-hung-up");
  });
});

describe("before an accept", () => {
  test("no microphone opens and no ICE candidate is gathered, at the caller as at the callee", async () => {
    const before = await Promise.all([readObservation(alice.window.page), readObservation(bob.window.page)]);
    await ring(alice, bob);
    await wait(1_000);
    expect(await Promise.all([readObservation(alice.window.page), readObservation(bob.window.page)])).toEqual(before);
    // Nor would it be allowed: not even a window that has been taken over could listen in.
    for (const { window } of [alice, bob]) expect(await tryMicrophone(window.page)).toBe("NotAllowedError");

    await accept(alice, bob);
    const after = await readObservation(bob.window.page);
    expect(after.microphoneAsked).toBeGreaterThan(before[1].microphoneAsked);
    expect(after.candidatesGathered).toBeGreaterThan(before[1].candidatesGathered);
  });

  test("the callee declines: the caller is told", async () => {
    await ring(alice, bob);
    await bob.window.declineButton.click();
    await expectEnd(alice, bob, "peer-declined");
    await expectEnd(bob, alice, "declined");
    await bob.window.incomingCall("alice").waitFor({ state: "hidden" });
    await alice.window.line("You called; bob declined.").waitFor();
  });

  test("nobody answers: after the ring time the caller is told and the callee keeps a missed call", async () => {
    const startedAt = Date.now();
    await ring(alice, bob);
    await expectEnd(alice, bob, "no-answer");
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(RING_MS - 500);
    await expectEnd(bob, alice, "no-answer");
    await bob.window.incomingCall("alice").waitFor({ state: "hidden" });
    await bob.window.line("Missed call from alice").waitFor();
  });

  test("the caller gives up: it rings no longer, and the callee keeps a missed call", async () => {
    await ring(alice, bob);
    await alice.window.hangUpButton.click();
    await bob.window.incomingCall("alice").waitFor({ state: "hidden" });
    await expectEnd(alice, bob, "gave-up");
    await expectEnd(bob, alice, "gave-up");
    await alice.window.line("You called; bob had not answered yet.").waitFor();
    await bob.window.line("Missed call from alice").waitFor();
  });
});

/** Presses both Call buttons at one moment; again if one app was so slow that the other's call reached it first. */
async function bothPressCall(): Promise<void> {
  for (let attempt = 0; attempt < 4; attempt++) {
    const moment = Date.now() + 500;
    await Promise.all([alice, bob].map(({ window }) => window.callButton.evaluate(pressAt, moment)));
    const phases = () => Promise.all([alice, bob].map(phaseOf));
    await expect
      .poll(phases, SOON)
      .toSatisfy((now: string[]) => now.includes("incoming") || now.every((one) => one === "active"));
    if ((await phases()).every((phase) => phase === "active")) return;
    await Promise.all([alice, bob].map(({ window }) => window.ask("hangUp", {}).catch(() => {})));
    await expect.poll(phases, SOON).toEqual(["ended", "ended"]);
  }
  throw new Error("the two calls did not cross");
}

/** In the page. */
function pressAt(button: { click?(): void }, moment: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(() => {
      button.click?.();
      resolve();
    }, moment - Date.now());
  });
}

async function expectEnd(actor: Actor, other: Actor, reason: string): Promise<void> {
  await expect
    .poll(async () => (await actor.window.ask("snapshot", {})).call, SOON)
    .toMatchObject({
      phase: "ended",
      reason,
    });
  const lastLine = (await actor.window.callLines(other.handle)).at(-1);
  expect(lastLine?.reason).toBe(reason);
  if (reason === "hung-up" || reason === "peer-hung-up") expect(lastLine?.durationMs).toBeGreaterThan(0);
  else expect(lastLine?.durationMs).toBeNull();
}

async function callOf({ window }: Actor) {
  const { call } = await window.ask("snapshot", {});
  if (call.phase === "idle" || call.phase === "ended") throw new Error("there is no call");
  return call;
}

async function phaseOf({ window }: Actor) {
  return (await window.ask("snapshot", {})).call.phase;
}

/** Root mean square of the last half second that the app has played. */
async function latestLevel({ tap }: Actor): Promise<number> {
  const { samples } = await tap.latest(0.5);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length));
}

/** What the page gets when it asks for the microphone by itself. */
function tryMicrophone(page: Page): Promise<string> {
  return page.evaluate(async () => {
    return navigator.mediaDevices.getUserMedia({ audio: true }).then(
      () => "granted",
      (error: Error) => error.name,
    );
  });
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
