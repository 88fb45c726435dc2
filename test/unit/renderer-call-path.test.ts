import { describe, expect, test } from "vitest";
import { type CallEnd, callPath, endOfWord, isAmong, pathSample, wordOfEnd } from "../../renderer/media/call-path.ts";

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
    expect(pathSample(report(local, { candidateType: "srflx" }), "P")).toMatchObject({
      ownEnd,
      peerCandidate: "srflx",
    });
  });

  test("name the relay in use, and none for a path of our own", () => {
    const url = "turn:192.0.2.9:443?transport=tcp";
    const relayed = { candidateType: "relay", relayProtocol: "tcp", url };
    expect(pathSample(report(relayed, {}), "P").relay).toBe(url);
    expect(pathSample(report({ candidateType: "srflx", url }, {}), "P").relay).toBeNull();
  });

  test("without a pair in use say nothing", () => {
    expect(pathSample(report({}, {}), null)).toEqual({ ownEnd: null, relay: null, peerCandidate: null });
  });
});

test.each([
  ["turn:192.0.2.9:443?transport=udp", true],
  ["turns:192.0.2.9:443?transport=tcp", true],
  ["turn:[2001:db8::9]:3478?transport=udp", true],
  ["turn:192.0.2.9:444?transport=udp", false],
  ["turn:192.0.2.7:443?transport=udp", false],
])("a relay in use, %s, is among those given: %s", (relay, among) => {
  const iceServers = [
    { urls: "turn:[2001:db8::9]:3478", username: "u", credential: "c" },
    { urls: ["stun:192.0.2.7:443", "turn:192.0.2.9:443", "turn:192.0.2.9:443?transport=tcp"] },
  ];
  expect(isAmong(iceServers, relay)).toBe(among);
});
