/** What befalls a simulated network: supernodes killed at once, a partition, slow ones, and lines that come and go. */
import type { SimDirectory } from "./sim-directory.ts";
import type { SimNode } from "./sim-node.ts";

/** Wholeness is waited for so long. */
const PATIENCE_MS = 3 * 60_000;
const LOOK_MS = 1_000;
/** People whose replicas are looked at. */
const SAMPLE = 4_000;
/** Somebody always comes or goes: this share of replicas is missing at any time, and the network whole. */
const WHOLE_SHARE = 0.002;
/** Pairs from both sides of a partition that are asked whether they know each other again. */
const PAIRS = 20_000;

/** A slow machine is up to this late with everything that it does. */
const LAG_MS = 1_500;
/** A bad line: away for this long, once in this time. */
const AWAY_MS = 10_000;
const CYCLE_MS = 60_000;

export interface KillOutcome {
  readonly killed: number;
  /** People all of whose holders were killed. */
  readonly lost: number;
  /** Until all other replicas were whole again; null if that took too long. */
  readonly repairedSeconds: number | null;
}

export interface PartitionOutcome {
  readonly cutOff: number;
  /** From the healing until those of both sides know each other again; null if that took too long. */
  readonly knownSeconds: number | null;
  /** The same, until all replicas are where they belong. */
  readonly repairedSeconds: number | null;
}

/** @param done is told when all replicas that can be are where they belong */
export function massacre(directory: SimDirectory, share: number, done: (outcome: KillOutcome) => void): void {
  const victims = someOf(directory, share);
  for (const victim of victims) directory.end(victim, false);
  const lost = directory.lostUsers();
  const lostShare = lost / Math.max(1, directory.users.length);
  const isWhole = () => directory.missingShare(SAMPLE) <= lostShare + WHOLE_SHARE;
  whenever(directory, isWhole, (repairedSeconds) => done({ killed: victims.length, lost, repairedSeconds }));
}

export function partition(
  directory: SimDirectory,
  share: number,
  minutes: number,
  done: (outcome: PartitionOutcome) => void,
): void {
  const { time } = directory.gossip;
  const cutOff = someOf(directory, share);
  for (const node of cutOff) node.side = 1;
  time.after(minutes * 60_000, () => {
    for (const node of cutOff) node.side = 0;
    const others = directory.gossip.up.filter((node) => !cutOff.includes(node));
    const pairs = pairsOf(directory, cutOff, others);
    let knownSeconds: number | null = null;
    const knowEachOther = () => pairs.every(([one, other]) => knows(one, other) && knows(other, one));
    const isWhole = () => directory.missingShare(SAMPLE) <= WHOLE_SHARE;
    whenever(directory, knowEachOther, (seconds) => {
      knownSeconds = seconds;
    });
    whenever(
      directory,
      () => knownSeconds !== null && isWhole(),
      (repairedSeconds) => done({ cutOff: cutOff.length, knownSeconds, repairedSeconds }),
    );
  });
}

/** From now on these machines have too much to do. */
export function slowDown(directory: SimDirectory, share: number): void {
  for (const node of someOf(directory, share)) {
    node.isTroubled = true;
    node.lagMs = LAG_MS;
  }
}

/** From now on the lines of these are dead for ten seconds of each minute. */
export function flap(directory: SimDirectory, share: number): void {
  const { time, random } = directory.gossip;
  for (const node of someOf(directory, share)) {
    node.isTroubled = true;
    const cycle = () => {
      node.isCut = true;
      time.after(AWAY_MS, () => {
        node.isCut = false;
      });
      if (node.isUp) time.after(CYCLE_MS, cycle);
    };
    time.after(random() * CYCLE_MS, cycle);
  }
}

/** Looks every second, until it is so or patience ends. */
function whenever(directory: SimDirectory, isSo: () => boolean, done: (seconds: number | null) => void): void {
  const { time } = directory.gossip;
  const startedAt = time.now;
  const look = () => {
    if (isSo()) done((time.now - startedAt) / 1_000);
    else if (time.now - startedAt < PATIENCE_MS) time.after(LOOK_MS, look);
    else done(null);
  };
  time.after(LOOK_MS, look);
}

function someOf(directory: SimDirectory, share: number): SimNode[] {
  return directory.gossip.up.filter(() => directory.gossip.random() < share);
}

function pairsOf(directory: SimDirectory, left: readonly SimNode[], right: readonly SimNode[]): [SimNode, SimNode][] {
  const { random } = directory.gossip;
  const any = (list: readonly SimNode[]) => list[Math.floor(random() * list.length)];
  return Array.from({ length: PAIRS }, () => [any(left), any(right)] as const).flatMap(([one, other]) =>
    one && other ? [[one, other] as [SimNode, SimNode]] : [],
  );
}

/** Of those who have gone meanwhile nobody needs to know. */
function knows(one: SimNode, other: SimNode): boolean {
  return !one.isUp || !other.isUp || one.core.peer(other.id)?.isLive === true;
}
