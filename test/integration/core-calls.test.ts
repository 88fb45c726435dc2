/** Calls between clients over a real network: every way that one can go. Media is played by the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { MediaSignal } from "../../protocol/call-signal.ts";
import { UserId } from "../../protocol/identifiers.ts";
import type { CallView, IpcPush } from "../../protocol/ipc-schema.ts";
import { buildHeadlessProcess, ClientProcess } from "../support/client-process.ts";
import { HeadlessClient, type HeadlessOptions } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";

let network: TestNetwork;
let alice: HeadlessClient;
let bob: HeadlessClient;
const others: HeadlessClient[] = [];
let round = 0;

/** Two buddies, ready to call. */
async function pair(options: HeadlessOptions = {}): Promise<void> {
  alice = await signedUp("alice", options);
  bob = await signedUp("bob", options);
  await alice.befriend(bob);
}

/** Each test has people of its own, in the same network. */
const named = (name: string) => `${name}-${round}`;

async function signedUp(name: string, options: HeadlessOptions = {}): Promise<HeadlessClient> {
  const client = await HeadlessClient.signedUp(network.loginServer.url, named(name), options);
  others.push(client);
  return client;
}

beforeAll(async () => {
  network = await TestNetwork.start(2);
});
afterAll(() => network.close());
beforeEach(() => {
  round++;
});
afterEach(async () => {
  for (const client of others.splice(0)) await client.close();
});

const dial = () => alice.methods.dial({ peer: alice.idOf(named("bob")) });
const reasonAt = async (client: HeadlessClient): Promise<string> => (await client.inCall("ended")).reason;
const callLine = (client: HeadlessClient) => client.line(({ kind }) => kind === "call", "call line");
const opened = (client: HeadlessClient) => client.count("openMedia") - client.count("closeMedia");

async function talking(): Promise<void> {
  await dial();
  await bob.inCall("incoming");
  await bob.methods.acceptCall({});
  await Promise.all([alice.inCall("active"), bob.inCall("active")]);
}

describe("a call that is not taken", () => {
  test("is declined: both know, and no microphone was opened", async () => {
    await pair();
    await dial();
    await bob.inCall("incoming");
    await bob.methods.declineCall({});
    expect(await reasonAt(alice)).toBe("peer-declined");
    expect(await reasonAt(bob)).toBe("declined");
    expect(alice.count("openMedia") + bob.count("openMedia")).toBe(0);
    await bob.until(() => bob.buddy(named("alice"))?.lastActivityAt, "a line");
    expect(bob.buddy(named("alice"))?.unread).toBe(0);
  });

  test("rings out: no answer at the caller's, a missed call at the callee's", async () => {
    await pair({ times: { ringMs: 400 } });
    await dial();
    expect(await reasonAt(alice)).toBe("no-answer");
    expect(await reasonAt(bob)).toBe("no-answer");
    expect(await callLine(bob)).toMatchObject({ mine: false, durationMs: null });
    await bob.until(() => bob.buddy(named("alice"))?.unread === 1, "missed call unread");
  });

  test("is given up by the caller: the ringing stops, a missed call is left", async () => {
    await pair();
    await dial();
    await bob.inCall("incoming");
    await alice.methods.hangUp({});
    expect(await reasonAt(bob)).toBe("gave-up");
    await bob.until(() => bob.buddy(named("alice"))?.unread === 1, "missed call unread");
  });

  test("reaches nobody: said at once", async () => {
    await pair();
    await bob.close();
    await alice.sees(named("bob"), "offline");
    await dial();
    expect(await reasonAt(alice)).toBe("unreachable");
    expect(await callLine(alice)).toMatchObject({ mine: true, reason: "unreachable" });
  });

  test("finds the callee talking to somebody else: busy, and a missed call at the callee's", async () => {
    await pair();
    await talking();
    const carol = await signedUp("carol");
    await carol.befriend(bob);
    await carol.methods.dial({ peer: carol.idOf(named("bob")) });
    expect(await reasonAt(carol)).toBe("peer-busy");
    await bob.until(() => bob.buddy(named("carol"))?.unread === 1, "missed call unread");
    expect(bob.call.phase).toBe("active");
    await expect(alice.methods.dial({ peer: alice.idOf(named("bob")) })).rejects.toMatchObject({
      code: "call-in-progress",
    });
  });
});

describe("a call that is taken", () => {
  test("ends for both when either hangs up, with its media closed once", async () => {
    await pair();
    for (const [first, second] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      await talking();
      await first.methods.hangUp({});
      expect(await reasonAt(first)).toBe("hung-up");
      expect(await reasonAt(second)).toBe("peer-hung-up");
    }
    for (const client of [alice, bob]) {
      expect(client.count("openMedia")).toBe(2);
      expect(opened(client)).toBe(0);
      await expect(client.methods.hangUp({})).rejects.toMatchObject({ code: "no-call" });
    }
  });

  test("connects when both call each other at the same moment, without anybody pressing Accept", async () => {
    await pair();
    await Promise.all([dial(), bob.methods.dial({ peer: bob.idOf(named("alice")) })]);
    const [a, b] = await Promise.all([alice.inCall("active"), bob.inCall("active")]);
    expect(a.callId).toBe(b.callId);
    const offers = [alice, bob]
      .flatMap((client) => client.pushes.filter(isOpenMedia))
      .map(({ value }) => value.initiator);
    expect(offers.sort()).toEqual([false, true]);
  });

  test("carries WebRTC's signals in order, bursts of them together, and only once it is accepted", async () => {
    await pair({ media: "by-hand" });
    await dial();
    const { callId } = await bob.inCall("incoming");
    const early: MediaSignal[] = [{ type: "offer", sdp: "too early" }];
    await alice.methods.mediaSignals({ callId, signals: early });
    await bob.methods.acceptCall({});
    await Promise.all([alice.inCall("connecting"), bob.inCall("connecting")]);

    const sdp = "v=0\r\n".repeat(800);
    const signals: MediaSignal[] = [
      { type: "offer", sdp },
      ...Array.from({ length: 30 }, (_, index) => candidate(`candidate:${index}`)),
    ];
    for (const signal of signals) await alice.methods.mediaSignals({ callId, signals: [signal] });
    const heard = () => bob.pushes.filter(isMediaSignals).flatMap(({ value }) => value.signals);
    await bob.until(() => heard().length === signals.length, "all signals");
    expect(heard()).toEqual(signals);
    expect(bob.count("mediaSignals")).toBeLessThan(signals.length / 2);
  });

  test("tells the window to send nothing while it is muted or on hold, and the peer of the hold", async () => {
    await pair();
    await talking();
    await alice.methods.mute({ muted: true });
    await alice.methods.hold({ held: true });
    expect((await bob.inCall("held")).by).toBe("peer");
    await alice.methods.mute({ muted: false });
    await alice.methods.hold({ held: false });
    await bob.inCall("active");
    const sending = (client: HeadlessClient) => client.pushes.filter(isSetSending).map(({ value }) => value.sending);
    expect(sending(alice)).toEqual([false, false, false, true]);
    expect(sending(bob)).toEqual([false, true]);
  });

  test("that finds no path ends with a reason on both sides", async () => {
    await pair({ media: "by-hand", times: { connectMs: 500 } });
    await dial();
    await bob.inCall("incoming");
    await bob.methods.acceptCall({});
    const reasons = await Promise.all([reasonAt(alice), reasonAt(bob)]);
    expect(new Set(reasons)).toEqual(new Set(["connect-failed"]));
    expect([alice.mayUseMicrophone, bob.mayUseMicrophone]).toEqual([false, false]);
  });

  test("lives through an interruption, and ends when the sound does not come back", async () => {
    await pair({ times: { reconnectMs: 600 } });
    await talking();
    const { callId } = alice.call as Extract<CallView, { phase: "active" }>;
    await alice.methods.mediaState({ callId, media: "interrupted" });
    await alice.inCall("reconnecting");
    await alice.methods.mediaState({ callId, media: "connected" });
    await alice.inCall("active");
    await alice.methods.mediaState({ callId, media: "interrupted" });
    expect(await reasonAt(alice)).toBe("connection-lost");
    expect(["connect-failed", "peer-hung-up"]).toContain(await reasonAt(bob));
  });
});

test("a callee that is killed in mid-call is told of as vanished, once its sound stops", async () => {
  const built = await buildHeadlessProcess();
  const folder = mkdtempSync(join(tmpdir(), "kith-client-"));
  await pair();
  const carol = await signedUp("carol", { dataFolder: folder });
  await carol.befriend(alice);
  await carol.close();
  const child = await ClientProcess.start(built.script, folder, network.loginServer.url);
  try {
    await alice.seesOnline(named("carol"));
    const rung = new Promise<IpcPush<"call">>((resolve) => {
      child.onPush("call", (call) => call.phase === "incoming" && resolve(call));
    });
    const connecting = new Promise<string>((resolve) => {
      child.onPush("openMedia", ({ callId }) => resolve(callId));
    });
    await alice.methods.dial({ peer: alice.idOf(named("carol")) });
    await rung;
    await child.invoke("acceptCall", {});
    await connecting;
    const { callId } = await alice.inCall("active");
    await child.kill();
    await alice.sees(named("carol"), "offline");
    // The window hears nothing any more; the directory has said why.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(alice.call.phase).toBe("active");
    await alice.methods.mediaState({ callId, media: "interrupted" });
    expect(await reasonAt(alice)).toBe("peer-vanished");
  } finally {
    await child.kill();
    built.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}, 40_000);

test("a device of the callee that comes online while it rings, rings too", async () => {
  await pair();
  const phone = await HeadlessClient.open(network.loginServer.url);
  others.push(phone);
  await dial();
  await bob.inCall("incoming");
  await phone.signIn(named("bob"));
  await phone.inCall("incoming");
  await phone.methods.declineCall({});
  expect(await reasonAt(alice)).toBe("peer-declined");
  expect(await reasonAt(bob)).toBe("declined-elsewhere");
});

test("a computer whose clock is three minutes slow, or fast, can call and be called", async () => {
  bob = await signedUp("bob");
  for (const [name, lagMs] of [
    ["alice", 180_000],
    ["carol", -180_000],
  ] as const) {
    alice = await signedUp(name, { now: () => Date.now() - lagMs });
    await alice.befriend(bob);
    await talking();
    await bob.methods.hangUp({});
    await alice.inCall("ended");
    await bob.methods.dial({ peer: alice.me.userId });
    await alice.inCall("incoming");
    await alice.methods.declineCall({});
    expect(await reasonAt(bob)).toBe("peer-declined");
  }
});

test("closing the app in a call tells the peer", async () => {
  await pair();
  await talking();
  await alice.close();
  expect(await reasonAt(bob)).toBe("peer-hung-up");
});

test("nobody else than the callee's own people can be called by a made-up ID", async () => {
  await pair();
  const nobody = UserId.parse("0".repeat(40));
  await expect(alice.methods.dial({ peer: nobody })).rejects.toMatchObject({ code: "not-a-buddy" });
});

const candidate = (text: string): MediaSignal => ({ type: "candidate", candidate: { candidate: text } });
type PushOf<K extends string> = { readonly name: K };
const isOpenMedia = <P extends PushOf<string>>(push: P): push is Extract<P, PushOf<"openMedia">> =>
  push.name === "openMedia";
const isMediaSignals = <P extends PushOf<string>>(push: P): push is Extract<P, PushOf<"mediaSignals">> =>
  push.name === "mediaSignals";
const isSetSending = <P extends PushOf<string>>(push: P): push is Extract<P, PushOf<"setSending">> =>
  push.name === "setSending";
