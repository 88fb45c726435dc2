/** One run of the simulated directory: a quiet minute, then churn, then what troubles it; look-ups all the while. */
import { SKYPE_MEDIAN_SESSION_MS, startChurn } from "./churn.ts";
import { type Load, LoadMeter } from "./load.ts";
import { type LookUpOutcome, SimDirectory } from "./sim-directory.ts";
import { figuresOf, type Outcomes, type SimFigures, type SimScale } from "./sim-report.ts";
import { flap, massacre, partition, slowDown } from "./troubles.ts";

export interface SimRun extends SimScale {
  readonly usersPerSupernode: number;
  readonly medianSessionMs: number;
  readonly lookUpsPerSecond: number;
  /** Share of the supernodes killed at once after a third of the time. */
  readonly kill: number;
  /** Share of the supernodes cut off from the rest: after a third of the time, or two thirds if there is a kill. */
  readonly partition: number;
  readonly partitionMinutes: number;
  /** Share of machines that are up to one and a half seconds late, after the first minute. */
  readonly slow: number;
  /** Share of lines that are dead for ten seconds of each minute, after the first. */
  readonly flapping: number;
}

export const DEFAULT_RUN: SimRun = {
  seed: 1,
  supernodes: 1_000,
  minutes: 20,
  usersPerSupernode: 5,
  loss: 0.01,
  medianSessionMs: SKYPE_MEDIAN_SESSION_MS,
  lookUpsPerSecond: 20,
  kill: 0,
  partition: 0,
  partitionMinutes: 5,
  slow: 0,
  flapping: 0,
};

const MINUTE_MS = 60_000;
const AWAY_SHARE = 0.5;

/** @param onMinute is called after each minute of the simulated time */
export function simulate(
  run: SimRun,
  onMinute: (minute: number, directory: SimDirectory) => void = () => {},
): SimFigures {
  const directory = new SimDirectory({ ...run, awayShare: AWAY_SHARE });
  const { time } = directory.gossip;
  let minute = 0;
  const pass = (minutes: number) => {
    for (let left = minutes; left > 0; left--) {
      time.run(Math.min(1, left) * MINUTE_MS);
      onMinute(++minute, directory);
    }
  };
  const measured = (minutes: number): Load => {
    const meter = new LoadMeter(directory);
    pass(minutes);
    return meter.load();
  };

  const lookUps: LookUpOutcome[] = [];
  lookUpAllTheWhile(directory, run.lookUpsPerSecond, (outcome) => lookUps.push(outcome));
  directory.refreshLeases();
  const quiet = measured(Math.min(1, run.minutes / 3));

  startChurn(directory, run.medianSessionMs);
  slowDown(directory, run.slow);
  flap(directory, run.flapping);
  const third = run.minutes / 3;
  const outcomes: Outcomes = { kill: null, partition: null };
  const isTroubled = run.kill > 0 || run.partition > 0;
  const churnMinutes = (isTroubled ? Math.max(third, 2) : run.minutes) - 1;
  const changesBefore = changesOf(directory, run);
  const churn = measured(Math.max(0, churnMinutes));
  const changes = changesOf(directory, run) - changesBefore;

  const cut = () =>
    partition(directory, run.partition, run.partitionMinutes, (outcome) => {
      outcomes.partition = outcome;
    });
  if (run.kill > 0) {
    massacre(directory, run.kill, (outcome) => {
      outcomes.kill = outcome;
    });
    if (run.partition > 0) time.after(third * MINUTE_MS, cut);
  } else if (run.partition > 0) cut();
  const trouble = isTroubled ? measured(1) : null;
  pass(run.minutes - minute);
  return figuresOf(directory, run, { quiet, churn, trouble }, outcomes, changes, lookUps);
}

/** Supernodes that came or went since the beginning. */
function changesOf(directory: SimDirectory, run: SimRun): number {
  const { nodes, up } = directory.gossip;
  return nodes.length - run.supernodes + nodes.length - up.length;
}

function lookUpAllTheWhile(directory: SimDirectory, perSecond: number, done: (outcome: LookUpOutcome) => void): void {
  const { time } = directory.gossip;
  const lookUp = () => {
    directory.lookUp(done);
    time.after(1_000 / perSecond, lookUp);
  };
  if (perSecond > 0) time.after(0, lookUp);
}
