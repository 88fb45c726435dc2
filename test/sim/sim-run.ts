/** One run of the simulated directory: churn, perhaps a massacre and a partition, and look-ups all the while. */
import { SKYPE_MEDIAN_SESSION_MS, startChurn } from "./churn.ts";
import { type LookUpOutcome, SimDirectory } from "./sim-directory.ts";
import { figuresOf, type KillOutcome, type SimFigures, totalsOf } from "./sim-report.ts";

export interface SimRun {
  readonly seed: number;
  readonly supernodes: number;
  readonly minutes: number;
  readonly usersPerSupernode: number;
  /** Share of packets lost. */
  readonly loss: number;
  readonly medianSessionMs: number;
  readonly lookUpsPerSecond: number;
  /** Share of the supernodes killed at once after a third of the time. */
  readonly kill: number;
  /** Share of the supernodes cut off from the rest for two minutes after two thirds of the time. */
  readonly partition: number;
}

export const DEFAULT_RUN: SimRun = {
  seed: 1,
  supernodes: 1_000,
  minutes: 60,
  usersPerSupernode: 20,
  loss: 0.01,
  medianSessionMs: SKYPE_MEDIAN_SESSION_MS,
  lookUpsPerSecond: 20,
  kill: 0,
  partition: 0,
};

const MINUTE_MS = 60_000;
const PARTITION_MS = 2 * MINUTE_MS;
const AWAY_SHARE = 0.5;
/** Replicas are waited for so long. */
const PATIENCE_MS = MINUTE_MS;

/** @param onMinute is called after each minute of the simulated time */
export function simulate(
  run: SimRun,
  onMinute: (minute: number, directory: SimDirectory) => void = () => {},
): SimFigures {
  const directory = new SimDirectory({ ...run, awayShare: AWAY_SHARE });
  const { time } = directory.gossip;
  const lookUps: LookUpOutcome[] = [];
  startChurn(directory, run.medianSessionMs);
  directory.refreshLeases();
  const before = totalsOf(directory);

  const lookUp = () => {
    directory.lookUp((outcome) => lookUps.push(outcome));
    time.after(1_000 / run.lookUpsPerSecond, lookUp);
  };
  time.after(0, lookUp);
  const thirdMs = (run.minutes * MINUTE_MS) / 3;
  let outcome: KillOutcome | null = null;
  if (run.kill > 0) {
    time.after(thirdMs, () =>
      massacre(directory, run.kill, (ended) => {
        outcome = ended;
      }),
    );
  }
  if (run.partition > 0) time.after(2 * thirdMs, () => partition(directory, run.partition));

  for (let minute = 1; minute <= run.minutes; minute++) {
    time.run(MINUTE_MS);
    onMinute(minute, directory);
  }
  const { nodes, up } = directory.gossip;
  const changes = { came: nodes.length - run.supernodes, went: nodes.length - up.length };
  return figuresOf(directory, before, changes, lookUps, outcome);
}

/** @param whole is told when all replicas that can be are where they belong */
function massacre(directory: SimDirectory, share: number, whole: (outcome: KillOutcome) => void): void {
  const victims = directory.gossip.up.filter(() => directory.gossip.random() < share);
  for (const victim of victims) directory.end(victim, false);
  const { time } = directory.gossip;
  const killedAt = time.now;
  const lost = directory.lostUsers();
  const look = () => {
    const missing = directory.missingReplicas() - lost * directory.replicas;
    if (missing === 0) whole({ killed: victims.length, lost, repairedSeconds: (time.now - killedAt) / 1_000 });
    else if (time.now - killedAt < PATIENCE_MS) time.after(1_000, look);
    else whole({ killed: victims.length, lost, repairedSeconds: null });
  };
  time.after(1_000, look);
}

function partition(directory: SimDirectory, share: number): void {
  const cutOff = directory.gossip.up.filter(() => directory.gossip.random() < share);
  const falseDeathsBefore = directory.falseDeaths;
  for (const node of cutOff) node.side = 1;
  directory.gossip.time.after(PARTITION_MS, () => {
    for (const node of cutOff) node.side = 0;
    // To hold the other side for dead is right as long as it lasts.
    directory.falseDeaths = falseDeathsBefore;
  });
}
