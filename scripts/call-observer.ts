/**
 * What the window's page does with WebRTC and the microphone, seen from outside: the
 * check and the tests wrap the browser's own functions in the page, so that the product
 * needs no hook. To be laid before the first call; it lasts until the page is loaded anew.
 */
import type { Page } from "playwright-core";

/** The page's globals, as far as they are used here. */
declare const window: ObservedPage;
interface ObservedPage {
  RTCPeerConnection: typeof PageConnection;
  navigator: { mediaDevices: { getUserMedia(constraints: unknown): Promise<unknown> } };
  observedCalls?: ObservedCalls;
}
interface ObservedCalls {
  readonly connections: PageConnection[];
  microphoneAsked: number;
  readonly candidates: string[];
}
declare class PageConnection {
  constructor(...settings: unknown[]);
  addEventListener(
    type: "icecandidate",
    listener: (event: { candidate: { readonly candidate: string } | null }) => void,
  ): void;
  getStats(): Promise<ReadonlyMap<string, PageStats>>;
  readonly connectionState: string;
}
type PageStats = Readonly<Record<string, string | number | undefined>>;

/** What has happened in the page since it was first observed. */
export interface Observation {
  readonly microphoneAsked: number;
  readonly connections: number;
  readonly candidatesGathered: number;
  /** As they were told to the peer (RFC 8839, section 5.1). */
  readonly candidates: readonly string[];
}

/** Counters of the newest connection of the page, since it was made. */
export interface CallStats {
  /** `relayed` if either end goes through a TURN server. */
  readonly path: "direct" | "relayed" | "none";
  /** The types of the candidates in use, ours first, as in "host/srflx". */
  readonly pair: string;
  /** The URL of our own relay in use; null if this end is direct. */
  readonly relay: string | null;
  /** ms since 1970. */
  readonly at: number;
  /** Everything that was sent to the peer, with 28 bytes of IP and UDP headers per packet. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** RTP packets of our own voice. */
  readonly sentSoundPackets: number;
  /** RTP packets of the peer's voice. */
  readonly receivedSoundPackets: number;
  /** Samples of the peer's sound that came out of the jitter buffer. */
  readonly decodedSamples: number;
  /** Samples that were played, and of these the ones that had to be made up because nothing had come in time. */
  readonly playedSamples: number;
  readonly concealedSamples: number;
  /** 0 to 1, of all samples played. */
  readonly concealedShare: number;
  readonly roundTripMs: number | null;
}

/** RFC 791 and RFC 768: 20 bytes and 8. */
const IP_AND_UDP_HEADER_BYTES = 28;

export async function observeCalls(page: Page): Promise<void> {
  await page.evaluate(() => {
    if (window.observedCalls !== undefined) return;
    const observed: ObservedCalls = { connections: [], microphoneAsked: 0, candidates: [] };
    window.observedCalls = observed;
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(...settings: unknown[]) {
        super(...settings);
        observed.connections.push(this);
        this.addEventListener("icecandidate", ({ candidate }) => {
          if (candidate !== null) observed.candidates.push(candidate.candidate);
        });
      }
    };
    const devices = window.navigator.mediaDevices;
    const getUserMedia = devices.getUserMedia.bind(devices);
    devices.getUserMedia = (constraints) => {
      observed.microphoneAsked++;
      return getUserMedia(constraints);
    };
  });
}

export async function readObservation(page: Page): Promise<Observation> {
  return page.evaluate(() => {
    const observed = window.observedCalls;
    if (observed === undefined) throw new Error("this page is not observed");
    return {
      microphoneAsked: observed.microphoneAsked,
      connections: observed.connections.length,
      candidatesGathered: observed.candidates.length,
      candidates: observed.candidates,
    };
  });
}

/** Resolves with the time (ms since 1970) at which the first sample of the peer's sound was decoded. */
export async function firstSoundDecodedAt(page: Page, timeoutMs: number): Promise<number> {
  return page.evaluate(async (patienceMs) => {
    const observed = window.observedCalls;
    if (observed === undefined) throw new Error("this page is not observed");
    const until = Date.now() + patienceMs;
    while (Date.now() < until) {
      const connection = observed.connections.at(-1);
      const stats = connection === undefined ? [] : [...(await connection.getStats()).values()];
      if (stats.some((one) => one.type === "inbound-rtp" && Number(one.jitterBufferEmittedCount) > 0))
        return Date.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error("no sound was decoded");
  }, timeoutMs);
}

export async function readCallStats(page: Page): Promise<CallStats> {
  const { at, stats } = await page.evaluate(async () => {
    const connection = window.observedCalls?.connections.at(-1);
    return { at: Date.now(), stats: connection === undefined ? [] : [...(await connection.getStats()).values()] };
  });
  return summarizeCall(stats, at);
}

/** @param stats the objects of an RTCStatsReport (W3C, "Identifiers for WebRTC's Statistics API") */
export function summarizeCall(stats: readonly PageStats[], at: number): CallStats {
  const byId = (id: string | number | undefined) => stats.find((one) => one.id === id);
  const sound = stats.find((one) => one.type === "inbound-rtp" && one.kind === "audio");
  const ownSound = stats.find((one) => one.type === "outbound-rtp" && one.kind === "audio");
  const transport = stats.find((one) => one.type === "transport");
  const pair = byId(transport?.selectedCandidatePairId);
  const ends = [byId(pair?.localCandidateId), byId(pair?.remoteCandidateId)];
  const count = (from: PageStats | undefined, name: string) => Number(from?.[name] ?? 0);
  const played = count(sound, "totalSamplesReceived");
  return {
    at,
    path: pair === undefined ? "none" : ends.some((end) => end?.candidateType === "relay") ? "relayed" : "direct",
    pair: ends.map((end) => end?.candidateType ?? "-").join("/"),
    relay: ends[0]?.candidateType === "relay" ? String(ends[0].url) : null,
    sentBytes: count(pair, "bytesSent") + count(pair, "packetsSent") * IP_AND_UDP_HEADER_BYTES,
    receivedBytes: count(pair, "bytesReceived") + count(pair, "packetsReceived") * IP_AND_UDP_HEADER_BYTES,
    sentSoundPackets: count(ownSound, "packetsSent"),
    receivedSoundPackets: count(sound, "packetsReceived"),
    decodedSamples: count(sound, "jitterBufferEmittedCount"),
    playedSamples: played,
    concealedSamples: count(sound, "concealedSamples"),
    concealedShare: played === 0 ? 0 : Number((count(sound, "concealedSamples") / played).toFixed(4)),
    roundTripMs: typeof pair?.currentRoundTripTime === "number" ? Math.round(pair.currentRoundTripTime * 1_000) : null,
  };
}
