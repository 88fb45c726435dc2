/** Carries what a simulation has measured to networks of another size. */
import { LEASE_REPLICAS, TIMES } from "../../protocol/limits.ts";
import { GOSSIP_TIMES } from "../../relay/membership/gossip-times.ts";
import { retransmissions, suspicionTimeoutMs } from "../../relay/membership/suspicion-timeout.ts";
import type { SimFigures } from "./sim-report.ts";

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
/** From the crash to the first suspicion: the round of probes, and an answer that does not come. */
const SUSPECTED_AFTER_MS = 2_000;

/** What gossip costs each supernode, as measured. */
export interface GossipCost {
  readonly supernodes: number;
  /** While nobody comes or goes. */
  readonly quietBytesPerSecond: number;
  /** For each that comes or goes. */
  readonly bytesPerChange: number;
  /** For each of many that die at once; null if none did. */
  readonly bytesPerVictim: number | null;
}

export function gossipCost({ supernodes, quiet, churn, trouble, kill, changes }: SimFigures): GossipCost {
  const extra = Math.max(0, churn.gossipBytes - quiet.gossipBytes) * churn.seconds;
  const inTrouble = kill && trouble ? Math.max(0, trouble.gossipBytes - churn.gossipBytes) * trouble.seconds : null;
  return {
    supernodes,
    quietBytesPerSecond: quiet.gossipBytes,
    bytesPerChange: Math.round(extra / Math.max(1, changes)),
    bytesPerVictim: kill && inTrouble !== null ? Math.round(inTrouble / Math.max(1, kill.killed)) : null,
  };
}

export interface Projection {
  readonly supernodes: number;
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
  /** Sent by each survivor because 30 % have died at once; null if no kill was measured. */
  readonly megabytesAfterKill: number | null;
}

/**
 * What grows: news per second with the number of members, how often each piece is sent with
 * its logarithm, records per supernode with the users for each.
 */
export function project(supernodes: number, users: number, medianSessionMs: number, cost: GossipCost): Projection {
  const changes = (2 * supernodes * Math.LN2) / (medianSessionMs / 1_000);
  const growth = retransmissions(supernodes) / retransmissions(cost.supernodes);
  const recordsPerSupernode = (users * LEASE_REPLICAS) / supernodes;
  const attachedRecords = recordsPerSupernode * ATTACHED_SHARE;
  return {
    supernodes,
    changesPerSecond: Number(changes.toFixed(2)),
    gossipBytesPerSecond: Math.round(cost.quietBytesPerSecond + changes * cost.bytesPerChange * growth),
    // Each change moves one supernode's records, and all supernodes share in sending them.
    repairBytesPerSecond: Math.round((changes * recordsPerSupernode * REPAIR_BYTES) / supernodes),
    registrationBytesPerSecond: Math.round((attachedRecords * STORE_BYTES) / (TIMES.leaseRefreshMs / 1_000)),
    recordsPerSupernode: Math.round(recordsPerSupernode),
    megabytes: Math.round((recordsPerSupernode * BYTES_PER_RECORD + supernodes * BYTES_PER_MEMBER) / 1e6),
    detectSeconds: Number(((SUSPECTED_AFTER_MS + suspicionTimeoutMs(GOSSIP_TIMES, supernodes, 2)) / 1_000).toFixed(1)),
    megabytesAfterKill:
      cost.bytesPerVictim === null
        ? null
        : Number(((0.3 * supernodes * cost.bytesPerVictim * growth) / 1e6).toFixed(1)),
  };
}
