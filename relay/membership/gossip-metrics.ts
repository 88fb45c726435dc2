/** What the gossip counts, for the operator. Refusals are counted by what was wrong. */
export class GossipMetrics {
  probes = 0;
  missedAcks = 0;
  suspicionsRaised = 0;
  /** Suspicions, ours and others', that their subject refuted. */
  suspicionsRefuted = 0;
  /** Suspicions of this supernode itself. */
  selfRefutations = 0;
  deaths = 0;
  /** Members that were held for dead and came back without a restart. */
  resurrections = 0;
  syncs = 0;
  vouched = 0;
  turnedAway = 0;
  /** Times that another member could not connect to our TCP port. */
  reachFailures = 0;
  stalls = 0;
  signaturesChecked = 0;
  /** Pieces of news that found the line full. Others tell them again, or the next comparison does. */
  newsMissed = 0;
  readonly refused: Record<GossipRefusal, number> = {
    malformed: 0,
    forged: 0,
    replayed: 0,
    "unknown-sender": 0,
    flooded: 0,
    "from-the-future": 0,
    unsolicited: 0,
    "not-a-member": 0,
  };
}

export type GossipRefusal =
  | "malformed"
  /** A signature, a tag or a certificate is not genuine. */
  | "forged"
  | "replayed"
  | "unknown-sender"
  | "flooded"
  | "from-the-future"
  /** An answer to what was never asked. */
  | "unsolicited"
  /** A request by who may not ask yet. */
  | "not-a-member";
