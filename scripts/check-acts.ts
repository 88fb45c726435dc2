/** What the two people do, each act with what must be seen of it in the other's window. */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import { clickAt } from "./app-window.ts";
import { firstSoundDecodedAt } from "./call-observer.ts";
import type { CheckReport } from "./check-report.ts";
import type { Actor, Stage } from "./check-stage.ts";
import { Failure } from "./failure.ts";

const SOON_MS = 20_000;
const PRESENCE_MS = 40_000;

type Both = Pick<Stage, "alice" | "bob">;

/** @throws Failure with `otherwise` when it does not show in time */
export async function soon(what: Locator | Promise<unknown>, otherwise: string, timeoutMs = SOON_MS): Promise<void> {
  try {
    await ("waitFor" in what ? what.waitFor({ timeout: timeoutMs }) : what);
  } catch (error) {
    throw new Failure(`${otherwise} (${firstLine(error)})`);
  }
}

/** Both are online to each other, with each other's conversation open. */
export async function meet({ alice, bob }: Both): Promise<void> {
  const sees = async (one: Actor, other: Actor) => {
    await soon(one.window.buddy(other.handle, "online"), `${one.name} does not see ${other.name} online`, PRESENCE_MS);
    await one.window.openConversation(other.handle);
  };
  await Promise.all([sees(alice, bob), sees(bob, alice)]);
}

/** One message each way, typed and seen. */
export async function chat({ alice, bob }: Both, when: string, report: CheckReport): Promise<void> {
  const send = async (from: Actor, to: Actor) => {
    // Another one each time: an older run may have left the same words in the conversation.
    const text = `${from.name} here, ${when} (${randomInt(1_000_000)})`;
    await from.window.write(text);
    report.chat.sent++;
    await soon(to.window.line(text), `A message from ${from.name} ${when} does not arrive`);
    report.chat.received++;
  };
  await Promise.all([send(alice, bob), send(bob, alice)]);
}

/** Presses Call; returns the ms until the callee's window says who calls. */
export async function ring(caller: Actor, callee: Actor): Promise<number> {
  const clickedAt = await clickAt(caller.window.callButton);
  await soon(callee.window.incomingCall(caller.handle), `${callee.name}'s app does not ring`);
  return Date.now() - clickedAt;
}

/** Presses Accept; returns the ms until both apps have decoded the first sound of the other. */
export async function accept(caller: Actor, callee: Actor): Promise<number> {
  const clickedAt = await clickAt(callee.window.acceptButton);
  const firstSounds = [caller, callee].map(async ({ name, window }) => {
    const decodedAt = firstSoundDecodedAt(window.page, SOON_MS);
    await soon(decodedAt, `No sound reaches ${name}'s app after Accept`);
    return decodedAt;
  });
  return Math.max(...(await Promise.all(firstSounds))) - clickedAt;
}

/** Waits until the app has ended the call, and notes how its conversation keeps it. */
export async function noteEnd(actor: Actor, other: Actor, report: CheckReport, timeoutMs = SOON_MS): Promise<void> {
  const { reason, durationMs } = await endedCall(actor, other, timeoutMs);
  await soon(
    actor.window.call.waitFor({ state: "hidden", timeout: SOON_MS }),
    `${actor.name}'s window stays in the call`,
  );
  report.call.ends[actor.handle] = reason;
  if (actor.handle === "alice") Object.assign(report.call, { end: reason, durationMs });
}

async function endedCall(actor: Actor, other: Actor, timeoutMs: number) {
  const until = Date.now() + timeoutMs;
  while (Date.now() < until) {
    const { call } = await actor.window.ask("snapshot", {});
    if (call.phase === "ended") {
      const line = (await actor.window.callLines(other.handle)).find(({ callId }) => callId === call.callId);
      if (line !== undefined) return line;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Failure(`${actor.name}'s call has not ended within ${timeoutMs / 1_000} s`);
}

/** Pictures of the windows as they are now. */
export async function photograph(actors: readonly Actor[], when: string, folder: string, report: CheckReport) {
  for (const { handle, window } of actors) {
    const file = join(folder, `${handle}-${when}.png`);
    await window.page.screenshot({ path: file });
    report.screenshots.push(file);
  }
}

function firstLine(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return line;
}
