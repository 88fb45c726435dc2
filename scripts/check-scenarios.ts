/** The four stories that `--check` can tell, from the first look at each other to the end of the call. */
import type { EndReason } from "../protocol/call-state.ts";
import { readObservation } from "./call-observer.ts";
import { accept, chat, meet, noteEnd, photograph, ring, soon } from "./check-acts.ts";
import { hearEachOther, requireMutualHearing } from "./check-hearing.ts";
import type { CheckReport } from "./check-report.ts";
import type { ActorHandle, Stage } from "./check-stage.ts";
import { Failure } from "./failure.ts";
import { say } from "./progress.mjs";
import type { Scenario } from "./start-options.ts";

export interface Setting {
  readonly stage: Stage;
  /** For the screenshots. */
  readonly pictures: string;
  readonly ringMs: number;
  /** Filled as the story goes on, so that it tells how far it came. */
  readonly report: CheckReport;
}

/** Ring time of `no-answer` when none is given. */
export const SHORT_RING_MS = 5_000;
/** The peer's machine says nothing any more: the sound stops, the directory says so, or patience ends. */
const KILL_NOTICED_MS = 45_000;
/** Beyond the ring time: signals travel, windows draw. */
const RING_TOLERANCE_MS = 5_000;

/** @throws Failure with the first thing that did not hold */
export async function play(scenario: Scenario, setting: Setting): Promise<void> {
  const { stage, report } = setting;
  await meet(stage);
  say("Alice and Bob see each other online.");
  await chat(stage, "before the call", report);
  say("Messages arrive both ways.");
  report.call.ringMs = await ring(stage.alice, stage.bob);
  say(`Alice calls: Bob's app rings after ${report.call.ringMs} ms.`);
  await STORIES[scenario](setting);
  await photograph(survivors(scenario, stage), "after", setting.pictures, report);
}

const STORIES: Readonly<Record<Scenario, (setting: Setting) => Promise<void>>> = {
  call,
  reject,
  "no-answer": noAnswer,
  "callee-killed": calleeKilled,
};

async function call(setting: Setting): Promise<void> {
  const { stage, report } = setting;
  const { alice, bob } = stage;
  await talk(setting);
  await chat(stage, "during the call", report);
  say("Messages arrive both ways during the call.");
  await photograph([alice, bob], "in-call", setting.pictures, report);
  await alice.window.hangUpButton.click();
  await endsAs(setting, { alice: ["hung-up"], bob: ["peer-hung-up"] });
  for (const { name, window } of [alice, bob]) {
    await soon(window.line(/^Duration \d+:\d\d$/), `${name}'s conversation does not show the duration`);
  }
}

async function reject(setting: Setting): Promise<void> {
  const { alice, bob } = setting.stage;
  await photograph([alice, bob], "ringing", setting.pictures, setting.report);
  await bob.window.declineButton.click();
  await endsAs(setting, { alice: ["peer-declined"], bob: ["declined"] });
  await neverListened(setting);
  await soon(alice.window.line(/declined/), "Alice's conversation does not say that Bob declined");
  await soon(bob.window.line(/declined/), "Bob's conversation does not say that he declined");
}

async function noAnswer(setting: Setting): Promise<void> {
  const { alice, bob } = setting.stage;
  const rangSince = Date.now() - (setting.report.call.ringMs ?? 0);
  await photograph([alice, bob], "ringing", setting.pictures, setting.report);
  await endsAs(setting, { alice: ["no-answer"], bob: ["no-answer"] }, setting.ringMs + RING_TOLERANCE_MS);
  const rangMs = Date.now() - rangSince;
  if (rangMs < setting.ringMs) throw new Failure(`It rang for ${rangMs} ms instead of ${setting.ringMs} ms`);
  await soon(
    bob.window.incomingCall("alice").waitFor({ state: "hidden", timeout: RING_TOLERANCE_MS }),
    "Bob's app rings on",
  );
  await neverListened(setting);
  await soon(alice.window.line(/did not answer/), "Alice's conversation does not say that Bob did not answer");
  await soon(bob.window.line(/Missed call/), "Bob's conversation does not show the missed call");
}

async function calleeKilled(setting: Setting): Promise<void> {
  const { alice, bob } = setting.stage;
  await talk(setting);
  await photograph([alice, bob], "in-call", setting.pictures, setting.report);
  await bob.app.kill();
  const killedAt = Date.now();
  say("Bob's app was killed.");
  await endsAs(setting, { alice: ["peer-vanished", "connection-lost"] }, KILL_NOTICED_MS);
  setting.report.call.endNoticedMs = Date.now() - killedAt;
  await soon(alice.window.buddy("bob", "offline"), "Alice still sees Bob online", KILL_NOTICED_MS);
  await soon(alice.window.line(/cut off/), "Alice's conversation does not say that the call was cut off");
}

/** Accepts, and listens until both have recognised each other. */
async function talk({ stage, report }: Setting): Promise<void> {
  report.call.setupMs = await accept(stage.alice, stage.bob);
  say(`Bob accepts: both have sound after ${report.call.setupMs} ms.`);
  const { alice, bob, stats, bytesPerSecond } = await hearEachOther(stage);
  Object.assign(report.call, {
    path: stats.alice.path,
    bytesPerSecond,
    hearing: { alice, bob },
    concealedShare: { alice: stats.alice.concealedShare, bob: stats.bob.concealedShare },
  });
  requireMutualHearing({ alice, bob });
  report.call.audioHeard = true;
  say(`Each hears the other's recording: Alice's app scores ${alice.score}, Bob's ${bob.score}.`);
}

/** Both ends, each for one of the reasons that fit the story. */
async function endsAs(
  { stage, report }: Setting,
  expected: Readonly<Partial<Record<ActorHandle, readonly EndReason[]>>>,
  timeoutMs?: number,
): Promise<void> {
  for (const [actor, other] of [
    [stage.alice, stage.bob],
    [stage.bob, stage.alice],
  ] as const) {
    const reasons = expected[actor.handle];
    if (reasons === undefined) continue;
    await noteEnd(actor, other, report, timeoutMs);
    const reason = report.call.ends[actor.handle];
    if (reason === undefined || !reasons.includes(reason)) {
      throw new Failure(`${actor.name}'s call ended as ${reason} instead of ${reasons.join(" or ")}`);
    }
  }
  say(`The call has ended: ${report.call.end} for Alice.`);
}

/** Without an accept no microphone opens and nothing of WebRTC starts, on either side. */
async function neverListened({ stage }: Setting): Promise<void> {
  for (const { name, window } of [stage.alice, stage.bob]) {
    const { microphoneAsked, connections } = await readObservation(window.page);
    if (microphoneAsked + connections > 0) throw new Failure(`${name}'s app opened the microphone without an accept`);
  }
}

function survivors(scenario: Scenario, { alice, bob }: Stage) {
  return scenario === "callee-killed" ? [alice] : [alice, bob];
}
