/** Do the two hear each other? Measured on what their apps decode. */
import { type CallStats, readCallStats } from "./call-observer.ts";
import type { Hearing } from "./check-report.ts";
import type { Actor, Stage } from "./check-stage.ts";
import { Failure } from "./failure.ts";
import { matchSpeech, speechPrint } from "./speech-match.ts";

/** Echo cancellation cuts words off while both begin to speak at once; recordings may begin with a long pause. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 2_000;
/** How much of the latest sound is looked at. */
const WINDOW_SECONDS = 12;
/** The other's recording must be the likelier one by this much. */
const LEAST_LEAD = 0.15;
/** Rates are measured over at least this long: DTX makes them uneven. */
const RATE_MS = 5_000;

export async function hear(listener: Actor, speaker: Actor): Promise<Hearing> {
  const heard = speechPrint(await listener.tap.latest(WINDOW_SECONDS));
  const match = matchSpeech(heard, speaker.speech);
  const own = matchSpeech(heard, listener.speech);
  return {
    recognised: match.recognised && !own.recognised && match.score - own.score >= LEAST_LEAD,
    score: round(match.score, 3),
    ownScore: round(own.score, 3),
    heardSeconds: round(match.heardSeconds, 2),
  };
}

export interface MutualHearing {
  readonly alice: Hearing;
  readonly bob: Hearing;
  readonly stats: Readonly<Record<"alice" | "bob", CallStats>>;
  /** One way, the mean of both. */
  readonly bytesPerSecond: number;
}

/** Listens until each has recognised the other, or patience ends; what the last look showed is the answer. */
export async function hearEachOther({ alice, bob }: Pick<Stage, "alice" | "bob">): Promise<MutualHearing> {
  const startedAt = Date.now();
  const before = await bothStats(alice, bob);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    const hearing = { alice: await hear(alice, bob), bob: await hear(bob, alice) };
    const elapsedMs = Date.now() - startedAt;
    const done = hearing.alice.recognised && hearing.bob.recognised && elapsedMs >= RATE_MS;
    if (!done && elapsedMs < PATIENCE_MS) continue;
    const stats = await bothStats(alice, bob);
    const rates = (["alice", "bob"] as const).map((who) => sendingRate(before[who], stats[who]));
    return { ...hearing, stats, bytesPerSecond: Math.round(rates.reduce((sum, rate) => sum + rate, 0) / rates.length) };
  }
}

/** @throws Failure that says who is not heard, and what came instead */
export function requireMutualHearing({ alice, bob }: Pick<MutualHearing, "alice" | "bob">): void {
  const missing = [
    ...(alice.recognised ? [] : [`Alice's app does not play Bob's recording (${inWords(alice)})`]),
    ...(bob.recognised ? [] : [`Bob's app does not play Alice's recording (${inWords(bob)})`]),
  ];
  if (missing.length > 0) throw new Failure(missing.join("; "));
}

function inWords({ heardSeconds, score, ownScore }: Hearing): string {
  if (heardSeconds === 0) return "it is silent";
  return `${heardSeconds} s of sound, likeness ${score}, to its own recording ${ownScore}`;
}

async function bothStats(alice: Actor, bob: Actor) {
  const [ofAlice, ofBob] = await Promise.all([readCallStats(alice.window.page), readCallStats(bob.window.page)]);
  return { alice: ofAlice, bob: ofBob };
}

function sendingRate(before: CallStats, after: CallStats): number {
  return ((after.sentBytes - before.sentBytes) / Math.max(1, after.at - before.at)) * 1_000;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
