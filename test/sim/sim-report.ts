/** What a simulation has measured, and what it looks like on a terminal. */
import type { Load } from "./load.ts";
import type { LookUpOutcome, SimDirectory } from "./sim-directory.ts";
import type { KillOutcome, PartitionOutcome } from "./troubles.ts";

/** What a run's figures mean nothing without. */
export interface SimScale {
  readonly supernodes: number;
  readonly minutes: number;
  /** Share of packets lost. */
  readonly loss: number;
  readonly seed: number;
}

/** What each phase has cost. */
export interface Loads {
  /** The first minute, in which nobody comes or goes. */
  readonly quiet: Load;
  /** From then on until the kill or the partition. */
  readonly churn: Load;
  /** The minute after it. */
  readonly trouble: Load | null;
}

export interface Outcomes {
  kill: KillOutcome | null;
  partition: PartitionOutcome | null;
}

export interface SimFigures extends Loads, SimScale {
  /** Supernodes that came or went while `loads.churn` was measured. */
  readonly changes: number;
  /** From a crash to the conclusion of each of the others. */
  readonly detectSecondsMedian: number | null;
  readonly detectSecondsP99: number | null;
  readonly detectSecondsMax: number | null;
  /** Times that one supernode held another for dead that was well. */
  readonly falseDeaths: number;
  /** The same of those that are slow, or whose lines come and go. */
  readonly troubledDeaths: number;
  /** How long both lasted. */
  readonly mistakenSecondsMedian: number | null;
  readonly mistakenSecondsMax: number | null;
  /** That last at the end. */
  readonly lastingMistakes: number;
  readonly kill: KillOutcome | null;
  readonly partition: PartitionOutcome | null;
  readonly lookUps: number;
  readonly foundShare: number;
  readonly requestsPerLookUp: number;
  readonly lookUpP99Ms: number;
  readonly missingReplicasShare: number;
  readonly lostUsers: number;
}

export function figuresOf(
  directory: SimDirectory,
  { supernodes, minutes, loss, seed }: SimScale,
  loads: Loads,
  outcomes: Outcomes,
  changes: number,
  lookUps: readonly LookUpOutcome[],
): SimFigures {
  const { deaths } = directory;
  const there = lookUps.filter(({ isAway }) => !isAway);
  const took = lookUps.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const share = (part: number, whole: number) => Number((part / Math.max(1, whole)).toFixed(5));
  return {
    supernodes,
    minutes,
    loss,
    seed,
    ...loads,
    changes,
    detectSecondsMedian: deaths.detections.secondsAt(0.5),
    detectSecondsP99: deaths.detections.secondsAt(0.99),
    detectSecondsMax: deaths.detections.secondsAt(1),
    falseDeaths: deaths.falseDeaths,
    troubledDeaths: deaths.troubledDeaths,
    mistakenSecondsMedian: deaths.mistakes.secondsAt(0.5),
    mistakenSecondsMax: deaths.mistakes.secondsAt(1),
    lastingMistakes: deaths.lasting,
    ...outcomes,
    lookUps: lookUps.length,
    foundShare: share(lookUps.filter(({ isFound }) => isFound).length, lookUps.length),
    requestsPerLookUp: Number(
      (there.reduce((sum, { requests }) => sum + requests, 0) / Math.max(1, there.length)).toFixed(2),
    ),
    lookUpP99Ms: Math.round(took[Math.floor(took.length * 0.99)] ?? 0),
    missingReplicasShare: Number(directory.missingShare(directory.users.length).toFixed(5)),
    lostUsers: directory.lostUsers(),
  };
}

const LOAD_ROWS = {
  gossipBytes: "gossip sent, bytes/s",
  gossipBytesP99: "  by the busiest hundredth",
  gossipPackets: "gossip sent, packets/s",
  probes: "probes/s",
  signaturesChecked: "signatures checked/s",
  refutationsPerHour: "suspicions refuted, an hour",
  replicationBytes: "repairs sent, bytes/s",
  repairs: "replicas made anew/s",
  registrationBytes: "registrations sent, bytes/s",
} as const;

/** One line for each figure. */
export function reportOf(figures: SimFigures): string[] {
  const { quiet, churn, trouble, kill, partition } = figures;
  const seconds = (value: number | null) => (value === null ? "–" : `${value} s`);
  const row = (name: string, ...cells: (string | number)[]) =>
    `  ${name.padEnd(34)}${cells.map((cell) => String(cell).padStart(12)).join("")}`;
  const lines = [
    row("each supernode", "quiet", "churn", ...(trouble ? ["in trouble"] : [])),
    ...Object.entries(LOAD_ROWS).map(([key, name]) => {
      const field = key as keyof typeof LOAD_ROWS;
      return row(name, quiet[field], churn[field], ...(trouble ? [trouble[field]] : []));
    }),
    "",
    row("came or went meanwhile", figures.changes),
    row("a crash is known to another after", seconds(figures.detectSecondsMedian)),
    row("  p99, longest", seconds(figures.detectSecondsP99), seconds(figures.detectSecondsMax)),
    row("wrongly held for dead, by one each", figures.falseDeaths),
    row("  slow ones and bad lines", figures.troubledDeaths),
    row("  for, and at the longest", seconds(figures.mistakenSecondsMedian), seconds(figures.mistakenSecondsMax)),
    row("  at the end still", figures.lastingMistakes),
    row("look-ups that found", `${100 * figures.foundShare} %`),
    row("  requests each, p99", figures.requestsPerLookUp, `${figures.lookUpP99Ms} ms`),
    row("replicas missing at the end", `${Number((100 * figures.missingReplicasShare).toFixed(3))} %`),
    row("people lost to the directory", figures.lostUsers),
  ];
  if (kill)
    lines.push(
      row("killed at once", kill.killed),
      row("  people all of whose holders were", kill.lost),
      row("  replicas whole again after", seconds(kill.repairedSeconds)),
    );
  if (partition) {
    lines.push(
      row("cut off from the others", partition.cutOff),
      row("  healed: they know each other after", seconds(partition.knownSeconds)),
      row("  replicas whole again after", seconds(partition.repairedSeconds)),
    );
  }
  return lines;
}
