/** What a simulation has measured, per supernode and second, and what that comes to for a bigger network. */
import { LEASE_REPLICAS, TIMES } from "../../protocol/limits.ts";
import { GOSSIP_TIMES } from "../../relay/membership/gossip-times.ts";
import { retransmissions, suspicionTimeoutMs } from "../../relay/membership/suspicion-timeout.ts";
import type { LookUpOutcome, SimDirectory } from "./sim-directory.ts";

/** Totals over all supernodes that are up, to be subtracted from later ones. */
export interface Totals {
  readonly at: number;
  readonly gossipBytes: number;
  readonly probes: number;
  readonly replicationBytes: number;
  readonly registrationBytes: number;
  readonly adopted: number;
}

export function totalsOf(directory: SimDirectory): Totals {
  const { holders } = directory;
  const sum = (pick: (holder: (typeof holders)[number]) => number) =>
    holders.reduce((total, holder) => total + pick(holder), 0);
  return {
    at: directory.now,
    gossipBytes: sum(({ node }) => node.sentBytes),
    probes: sum(({ node }) => node.core.metrics.probes),
    replicationBytes: sum(({ sentBytes }) => sentBytes),
    registrationBytes: directory.registrationBytes,
    adopted: sum(({ metrics }) => metrics.adopted),
  };
}

/** What a massacre has led to. */
export interface KillOutcome {
  readonly killed: number;
  /** People all of whose holders were killed. */
  readonly lost: number;
  /** Until all other replicas were whole again; null if that took more than a minute. */
  readonly repairedSeconds: number | null;
}

export interface SimFigures {
  readonly supernodes: number;
  readonly minutes: number;
  /** Sent by each supernode, bytes a second. */
  readonly gossipBytesPerSecond: number;
  readonly replicationBytesPerSecond: number;
  readonly registrationBytesPerSecond: number;
  readonly probesPerSecond: number;
  /** Supernodes that came or went. */
  readonly changes: number;
  /** Replicas made anew, by all supernodes together. */
  readonly repairs: number;
  readonly deaths: number;
  readonly falseDeaths: number;
  /** From a crash to the conclusion of each of the others. */
  readonly detectSecondsMedian: number | null;
  readonly detectSecondsP99: number | null;
  readonly lookUps: number;
  readonly foundShare: number;
  readonly requestsPerLookUp: number;
  readonly lookUpP99Ms: number;
  readonly missingReplicas: number;
  readonly lostUsers: number;
  readonly killed: number;
  readonly repairedSeconds: number | null;
}

export function figuresOf(
  directory: SimDirectory,
  before: Totals,
  changes: { readonly came: number; readonly went: number },
  lookUps: readonly LookUpOutcome[],
  kill: KillOutcome | null,
): SimFigures {
  const after = totalsOf(directory);
  const supernodes = directory.holders.length;
  const seconds = (after.at - before.at) / 1_000;
  // Who has died meanwhile takes its totals along: over a run much shorter than a session that is little.
  const rate = (pick: (totals: Totals) => number) => round((pick(after) - pick(before)) / supernodes / seconds);
  const detections = [...directory.detectionsMs].sort((a, b) => a - b);
  const there = lookUps.filter(({ isAway }) => !isAway);
  const took = lookUps.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return {
    supernodes,
    minutes: seconds / 60,
    gossipBytesPerSecond: rate(({ gossipBytes }) => gossipBytes),
    replicationBytesPerSecond: rate(({ replicationBytes }) => replicationBytes),
    registrationBytesPerSecond: rate(({ registrationBytes }) => registrationBytes),
    probesPerSecond: rate(({ probes }) => probes),
    repairs: after.adopted - before.adopted,
    deaths: changes.went,
    changes: changes.came + changes.went,
    falseDeaths: directory.falseDeaths,
    detectSecondsMedian: secondsAt(detections, 0.5),
    detectSecondsP99: secondsAt(detections, 0.99),
    lookUps: lookUps.length,
    foundShare: lookUps.filter(({ isFound }) => isFound).length / Math.max(1, lookUps.length),
    requestsPerLookUp: round(there.reduce((sum, { requests }) => sum + requests, 0) / Math.max(1, there.length)),
    lookUpP99Ms: Math.round(took[Math.floor(took.length * 0.99)] ?? 0),
    missingReplicas: directory.missingReplicas(),
    lostUsers: directory.lostUsers(),
    killed: kill?.killed ?? 0,
    repairedSeconds: kill?.repairedSeconds ?? null,
  };
}

/** Bytes of one record on its way to a new holder: the lease, two offers and answers, and framing. */
const REPAIR_BYTES = 400;
/** A lease and its certificate, written to one holder. */
const STORE_BYTES = 700;
/** People who are attached, of those whom the directory knows. */
const ATTACHED_SHARE = 0.3;
/** As `npm run bench -- directory` measures it. */
const BYTES_PER_RECORD = 260;
/** Announcement, voucher, certificate and packet keys, decoded. */
const BYTES_PER_MEMBER = 2_000;

/** What gossip costs each supernode, as measured. */
export interface GossipCost {
  readonly supernodes: number;
  /** While nobody comes or goes. */
  readonly quietBytesPerSecond: number;
  /** For each that comes or goes. */
  readonly bytesPerChange: number;
}

/** Of two runs of the same size, one of them with no change at all. */
export function gossipCost(quiet: SimFigures, busy: SimFigures): GossipCost {
  const changesPerSecond = busy.changes / (busy.minutes * 60);
  const extra = Math.max(0, busy.gossipBytesPerSecond - quiet.gossipBytesPerSecond);
  return {
    supernodes: busy.supernodes,
    quietBytesPerSecond: quiet.gossipBytesPerSecond,
    bytesPerChange: Math.round(busy.changes === 0 ? 0 : extra / changesPerSecond),
  };
}

export interface Projection {
  readonly supernodes: number;
  readonly users: number;
  /** Members that come or go, per second. */
  readonly changesPerSecond: number;
  /** Sent by each supernode. */
  readonly gossipBytesPerSecond: number;
  readonly repairBytesPerSecond: number;
  readonly registrationBytesPerSecond: number;
  readonly recordsPerSupernode: number;
  readonly megabytes: number;
  /** From a crash to its conclusion by the others, at the earliest. */
  readonly detectSeconds: number;
}

/** Members that come or go. */
function changesPerSecond(supernodes: number, medianSessionMs: number): number {
  return (2 * supernodes * Math.LN2) / (medianSessionMs / 1_000);
}

/**
 * Carries a measurement to another size. What grows: news per second with the number of members, how
 * often each piece is sent with its logarithm, records per supernode with the users for each.
 */
export function project(supernodes: number, users: number, medianSessionMs: number, cost: GossipCost): Projection {
  const changes = changesPerSecond(supernodes, medianSessionMs);
  const newsBytes = (cost.bytesPerChange * retransmissions(supernodes)) / retransmissions(cost.supernodes);
  const recordsPerSupernode = (users * LEASE_REPLICAS) / supernodes;
  const attachedRecords = recordsPerSupernode * ATTACHED_SHARE;
  return {
    supernodes,
    users,
    changesPerSecond: round(changes),
    gossipBytesPerSecond: Math.round(cost.quietBytesPerSecond + changes * newsBytes),
    // Each change moves one supernode's records, and all supernodes share in sending them.
    repairBytesPerSecond: Math.round((changes * recordsPerSupernode * REPAIR_BYTES) / supernodes),
    registrationBytesPerSecond: Math.round((attachedRecords * STORE_BYTES) / (TIMES.leaseRefreshMs / 1_000)),
    recordsPerSupernode: Math.round(recordsPerSupernode),
    megabytes: Math.round((recordsPerSupernode * BYTES_PER_RECORD + supernodes * BYTES_PER_MEMBER) / 1e6),
    detectSeconds: round(2 + suspicionTimeoutMs(GOSSIP_TIMES, supernodes, 2) / 1_000),
  };
}

function secondsAt(sortedMs: readonly number[], share: number): number | null {
  const ms = sortedMs[Math.floor(sortedMs.length * share)];
  return ms === undefined ? null : round(ms / 1_000);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
