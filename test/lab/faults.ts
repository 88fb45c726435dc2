/** What happens to calls in the lab while they last, and how long a gap the two people hear of it. */
import { readCallStats } from "../../scripts/call-observer.ts";
import type { Actor } from "../../scripts/check-stage.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import type { AccessKind } from "./access-kind.ts";
import { PUBLIC, type Wire } from "./lab.ts";
import { type LabStage, longestGapMs, openCall, pathOf } from "./lab-call.ts";
import { LAB_SUPERNODES } from "./lab-network.ts";

export const FAULTS = ["relay-killed", "nat-flushed", "cable-pulled"] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultResult {
  readonly fault: Fault;
  readonly a: AccessKind;
  readonly b: AccessKind;
  /** Before the fault; null if there was no call. */
  readonly path: string | null;
  readonly pathAfter: string | null;
  /** Both hear each other again. */
  readonly survived: boolean;
  /** The longer one of the two gaps. */
  readonly gapMs: number | null;
  readonly error?: string;
}

/** One line of each way that a call can go. */
const LINES: readonly (readonly [AccessKind, AccessKind])[] = [
  ["cone", "cone"],
  ["cone", "symmetric"],
  ["udp-blocked", "web-only"],
];
export const CABLE_OUT_MS = 3_000;
/** Sound as it was before the fault comes first. */
const CALM_MS = 3_000;
const WATCHED_MS = 20_000;
/** At the end nobody may hear a longer gap than this for so long. */
const WELL_MS = 3_000;
const WELL_GAP_MS = 1_000;

/** Each fault on each line where it can happen. */
export const FAULTY_CALLS = FAULTS.flatMap((fault) =>
  LINES.filter(([a, b]) => fault !== "relay-killed" || a !== "cone" || b !== "cone").map(([a, b]) => ({ fault, a, b })),
);

export async function callThroughFault(
  stage: LabStage,
  { fault, a, b }: (typeof FAULTY_CALLS)[number],
  wire: Wire | null,
): Promise<FaultResult> {
  const lifetime = new Lifetime();
  let path: string | null = null;
  try {
    const { alice, bob } = await openCall(stage, a, b, wire, lifetime);
    await new Promise((resolve) => setTimeout(resolve, CALM_MS));
    path = await pathOf(alice);
    const gaps = Promise.all([longestGapMs(alice, WATCHED_MS), longestGapMs(bob, WATCHED_MS)]);
    await happen(fault, stage, [alice, bob], lifetime);
    const gapMs = Math.max(...(await gaps));
    const after = await Promise.all([longestGapMs(alice, WELL_MS), longestGapMs(bob, WELL_MS)]);
    const survived = Math.max(...after) <= WELL_GAP_MS;
    return { fault, a, b, path, pathAfter: survived ? await pathOf(alice) : null, survived, gapMs };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { fault, a, b, path, pathAfter: null, survived: false, gapMs: null, error: why };
  } finally {
    await lifetime.end();
  }
}

async function happen(fault: Fault, stage: LabStage, people: readonly Actor[], lifetime: Lifetime): Promise<void> {
  const { lab, network } = stage;
  switch (fault) {
    case "relay-killed": {
      const supernode = await relayInUse(people);
      await network.kill(supernode);
      lifetime.atEnd(() => network.start(supernode));
      return;
    }
    case "nat-flushed":
      await Promise.all([lab.forgetMappings("alice"), lab.forgetMappings("bob")]);
      return;
    case "cable-pulled":
      await lab.pullCable("alice");
      await new Promise((resolve) => setTimeout(resolve, CABLE_OUT_MS));
      await lab.plugIn("alice");
      return;
    default:
      fault satisfies never;
  }
}

/** @throws Error when neither side goes through one */
async function relayInUse(people: readonly Actor[]) {
  const stats = await Promise.all(people.map(({ window }) => readCallStats(window.page)));
  const inUse = LAB_SUPERNODES.find((name) => stats.some(({ relay }) => relay?.includes(PUBLIC[name])));
  if (inUse === undefined) throw new Error("the call goes through no relay");
  return inUse;
}
