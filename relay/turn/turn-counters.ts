/** What the server counts, for metrics and the status page. */

/** Why something was not done. Each names the rule that refused it. */
export const REFUSALS = [
  // Packets
  "malformed",
  "fingerprint-wrong",
  "not-a-request", // responses and indications that a client has no business sending
  "unauthenticated-rate", // too many requests from one network before authentication
  "control-rate", // too many requests on one allocation
  "oversize",
  // Requests
  "unauthenticated",
  "credential-invalid",
  "stale-nonce",
  "bad-request",
  "unknown-attribute",
  "allocation-mismatch",
  "wrong-credentials",
  "transport-unsupported",
  "family-unsupported",
  "family-mismatch",
  "peer-forbidden",
  "user-allocations",
  "source-allocations",
  "capacity",
  // Relaying
  "no-allocation",
  "no-channel",
  "no-permission",
  "user-bandwidth",
  "source-bandwidth",
  "total-bandwidth",
  "user-volume",
  "source-volume",
  "total-volume",
  "send-failed", // the operating system did not take the packet
  // TCP clients
  "tcp-connections",
  "tcp-frame", // neither STUN nor ChannelData, or too long
  "tcp-slow", // half a message for too long
  "tcp-idle", // no allocation in time
  "tcp-backlog", // the client does not read
  // Ours
  "internal",
] as const;

export type Refusal = (typeof REFUSALS)[number];

export interface TurnCounters {
  allocationsMade: number;
  /** Payload bytes and packets, to peers and from them. */
  bytesToPeers: number;
  packetsToPeers: number;
  bytesFromPeers: number;
  packetsFromPeers: number;
  bindings: number;
  readonly refused: Record<Refusal, number>;
}

export function newTurnCounters(): TurnCounters {
  return {
    allocationsMade: 0,
    bytesToPeers: 0,
    packetsToPeers: 0,
    bytesFromPeers: 0,
    packetsFromPeers: 0,
    bindings: 0,
    refused: Object.fromEntries(REFUSALS.map((refusal) => [refusal, 0])) as Record<Refusal, number>,
  };
}
