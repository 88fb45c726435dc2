/**
 * Which way a call goes. Each window knows its own end for sure and tells the other one
 * over the data channel: from outside, a peer behind a relay can look like a direct one
 * (a peer-reflexive candidate), and whether it reaches its relay over TCP shows nowhere.
 */

/** How this window reaches the network. */
export type CallEnd = "direct" | "relay-udp" | "relay-tcp";
/** The whole way, as it is told to a person. */
export type CallPath = "direct" | "relayed" | "relayed-tcp";

export interface PathSample {
  /** Null while there is no connection. */
  readonly ownEnd: CallEnd | null;
  /** The URL of the TURN server that we send through; null if we send directly. */
  readonly relay: string | null;
  /** The type of the peer's candidate in use (RTCIceCandidateType). */
  readonly peerCandidate: string | null;
}

/** As words of at most 16 bytes for the data channel. */
const WORDS: Readonly<Record<CallEnd, string>> = {
  direct: "via-direct",
  "relay-udp": "via-relay",
  "relay-tcp": "via-relay-tcp",
};

export function wordOfEnd(end: CallEnd): string {
  return WORDS[end];
}

/** Null for any other word. */
export function endOfWord(word: string): CallEnd | null {
  for (const end of ["direct", "relay-udp", "relay-tcp"] as const) if (WORDS[end] === word) return end;
  return null;
}

/** @param peerEnd as the peer has said; null if it has not */
export function callPath(
  { ownEnd, peerCandidate }: Omit<PathSample, "relay">,
  peerEnd: CallEnd | null,
): CallPath | null {
  if (ownEnd === null) return null;
  if (ownEnd === "relay-tcp" || peerEnd === "relay-tcp") return "relayed-tcp";
  if (ownEnd === "relay-udp" || peerEnd === "relay-udp" || peerCandidate === "relay") return "relayed";
  return peerEnd === null && peerCandidate === "prflx" ? null : "direct";
}

/** Our end of the candidate pair in use, from WebRTC's statistics. */
export function pathSample(report: RTCStatsReport, pair: string | null): PathSample {
  const ends = pair === null ? undefined : report.get(pair);
  const local = ends === undefined ? undefined : report.get(ends.localCandidateId);
  const remote = ends === undefined ? undefined : report.get(ends.remoteCandidateId);
  if (local === undefined) return { ownEnd: null, relay: null, peerCandidate: null };
  const viaRelay = local.relayProtocol === "udp" ? "relay-udp" : "relay-tcp";
  return {
    ownEnd: local.candidateType === "relay" ? viaRelay : "direct",
    relay: local.candidateType === "relay" && typeof local.url === "string" ? local.url : null,
    peerCandidate: typeof remote?.candidateType === "string" ? remote.candidateType : null,
  };
}

/** @param relay the URL of a TURN server in use, which may name its transport in other words than the lists do (RFC 7065) */
export function isAmong(iceServers: readonly RTCIceServer[], relay: string): boolean {
  const place = (url: string) => url.replace(/^turns?:/, "").replace(/\?.*$/, "");
  return iceServers.some(({ urls }) =>
    [urls].flat().some((url) => !url.startsWith("stun") && place(url) === place(relay)),
  );
}
