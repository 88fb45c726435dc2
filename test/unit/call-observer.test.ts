import { describe, expect, test } from "vitest";
import { summarizeCall } from "../../scripts/call-observer.ts";

/** An RTCStatsReport's objects of a call whose ends use these kinds of candidates. */
function report(localType: string, remoteType: string) {
  return [
    { id: "T", type: "transport", selectedCandidatePairId: "P2" },
    { id: "P1", type: "candidate-pair", bytesSent: 9_999, packetsSent: 99 },
    {
      id: "P2",
      type: "candidate-pair",
      localCandidateId: "L",
      remoteCandidateId: "R",
      bytesSent: 1_000,
      packetsSent: 10,
      bytesReceived: 2_000,
      packetsReceived: 20,
      currentRoundTripTime: 0.0124,
    },
    { id: "L", type: "local-candidate", candidateType: localType },
    { id: "R", type: "remote-candidate", candidateType: remoteType },
    { id: "V", type: "inbound-rtp", kind: "video", jitterBufferEmittedCount: 5 },
    {
      id: "I",
      type: "inbound-rtp",
      kind: "audio",
      jitterBufferEmittedCount: 48_000,
      packetsReceived: 19,
      totalSamplesReceived: 50_000,
      concealedSamples: 2_000,
    },
    { id: "O", type: "outbound-rtp", kind: "audio", packetsSent: 7 },
  ];
}

test("a call's counters are those of the selected path, with 28 bytes of headers per packet", () => {
  expect(summarizeCall(report("host", "host"), 5)).toMatchObject({
    at: 5,
    path: "direct",
    sentBytes: 1_280,
    receivedBytes: 2_560,
    relay: null,
    sentSoundPackets: 7,
    receivedSoundPackets: 19,
    decodedSamples: 48_000,
    concealedShare: 0.04,
    roundTripMs: 12,
  });
});

describe("a path is relayed if either end is", () => {
  test.each([
    ["host", "srflx", "direct"],
    ["prflx", "host", "direct"],
    ["relay", "relay", "relayed"],
    // The relay's own address, learnt from a check that came through it.
    ["prflx", "relay", "relayed"],
    ["relay", "prflx", "relayed"],
  ])("%s to %s: %s", (local, remote, path) => {
    expect(summarizeCall(report(local, remote), 0).path).toBe(path);
  });
});

test("without a connection there is no path and nothing was heard", () => {
  expect(summarizeCall([], 0)).toMatchObject({ path: "none", sentBytes: 0, decodedSamples: 0, concealedShare: 0 });
});
