import { describe, expect, test } from "vitest";
import { type CallEnd, callPath, endOfWord, pathSample, wordOfEnd } from "../../renderer/media/call-path.ts";

const ENDS: readonly CallEnd[] = ["direct", "relay-udp", "relay-tcp"];

describe("the way of a call", () => {
  test.each([
    ["direct", "direct", "host", "direct"],
    ["direct", null, "srflx", "direct"],
    // What lies behind it is not known before the peer has said.
    ["direct", null, "prflx", null],
    ["direct", "direct", "prflx", "direct"],
    ["direct", "relay-udp", "prflx", "relayed"],
    ["direct", null, "relay", "relayed"],
    ["direct", "relay-tcp", "relay", "relayed-tcp"],
    ["relay-udp", "direct", "host", "relayed"],
    ["relay-udp", "relay-tcp", "relay", "relayed-tcp"],
    ["relay-tcp", null, "host", "relayed-tcp"],
    [null, "relay-udp", null, null],
  ] as const)("our end %s, the peer's %s, its candidate %s: %s", (ownEnd, peerEnd, peerCandidate, path) => {
    expect(callPath({ ownEnd, peerCandidate }, peerEnd)).toBe(path);
  });
});

test("each end has a word that fits the data channel, and no other word means one", () => {
  for (const end of ENDS) {
    expect(endOfWord(wordOfEnd(end))).toBe(end);
    expect(wordOfEnd(end).length).toBeLessThanOrEqual(16);
  }
  expect(["probe", "here", "", "via-"].map(endOfWord)).toEqual([null, null, null, null]);
});

describe("WebRTC's statistics", () => {
  const report = (local: object, remote: object) =>
    new Map<string, object>([
      ["P", { localCandidateId: "L", remoteCandidateId: "R" }],
      ["L", local],
      ["R", remote],
    ]) as unknown as RTCStatsReport;

  test.each([
    [{ candidateType: "host" }, "direct"],
    [{ candidateType: "prflx" }, "direct"],
    [{ candidateType: "relay", relayProtocol: "udp" }, "relay-udp"],
    [{ candidateType: "relay", relayProtocol: "tcp" }, "relay-tcp"],
    [{ candidateType: "relay", relayProtocol: "tls" }, "relay-tcp"],
  ])("a local candidate %j is our end %s", (local, ownEnd) => {
    expect(pathSample(report(local, { candidateType: "srflx" }), "P")).toEqual({ ownEnd, peerCandidate: "srflx" });
  });

  test("without a pair in use say nothing", () => {
    expect(pathSample(report({}, {}), null)).toEqual({ ownEnd: null, peerCandidate: null });
  });
});
