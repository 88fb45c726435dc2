/** Debian's coturn tools against our server: somebody else's idea of a client. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNLIMITED } from "../../relay/turn/relay-quota.ts";
import { hasTool, mergedMessages, reasonWithout, runTool, uclientResult } from "../support/coturn-tools.ts";
import {
  type EchoPeer,
  startPeer,
  startTestTurnServer,
  TEST_SECRET,
  type TestTurnServer,
} from "../support/turn-test-server.ts";

const MESSAGES = 20;
const DATA_BYTES = 121;
/** As they come to a client over a stream, padded. */
const CHANNEL_DATA_BYTES = 4 + DATA_BYTES + 3;
const DATA_INDICATION_BYTES = 20 + 12 + 4 + DATA_BYTES + 3;
let turn: TestTurnServer;
let peer: EchoPeer;
let peerIPv6: EchoPeer;

beforeAll(async () => {
  turn = await startTestTurnServer({
    // The tools sign their own credentials for a day.
    maxCredentialSeconds: 24 * 3_600,
    quotas: { total: UNLIMITED, perUser: UNLIMITED, perSource: UNLIMITED },
  });
  [peer, peerIPv6] = await Promise.all([startPeer(), startPeer(true, "::1")]);
});

afterAll(async () => {
  await Promise.all([peer.close(), peerIPv6.close()]);
  await turn.close();
  expect(turn.errors).toEqual([]);
});

/** A mode of turnutils_uclient: its flags, how many clients it plays, and which of our ports it needs. */
const modes: [
  string,
  { flags: string[]; clients?: number; over?: "tcp" | "tls"; ipv6Peer?: boolean; noPeer?: boolean },
][] = [
  ["channels", { flags: ["-X"] }],
  ["channels without a family", { flags: [] }],
  ["indications", { flags: ["-X", "-s"] }],
  ["channels over TCP", { flags: ["-X", "-t"], over: "tcp" }],
  ["indications over TCP", { flags: ["-X", "-t", "-s"], over: "tcp" }],
  ["channels over TLS", { flags: ["-X", "-t", "-S"], over: "tls" }],
  ["indications over TLS", { flags: ["-X", "-t", "-S", "-s"], over: "tls" }],
  ["IPv6 relay, channels", { flags: ["-x"], ipv6Peer: true }],
  ["IPv6 relay, indications", { flags: ["-x", "-s"], ipv6Peer: true }],
  ["IPv6 relay over TCP", { flags: ["-x", "-t"], ipv6Peer: true, over: "tcp" }],
  ["both families, IPv4 peer", { flags: ["-Z"] }],
  ["both families, IPv6 peer", { flags: ["-Z"], ipv6Peer: true }],
  ["DONT-FRAGMENT, channels", { flags: ["-X", "-g"] }],
  ["DONT-FRAGMENT, indications", { flags: ["-X", "-g", "-s"] }],
  ["padded channels", { flags: ["-X", "-D"] }],
  ["extra requests", { flags: ["-X", "-G"] }],
  ["ICE mobility, which we do not know", { flags: ["-X", "-M"] }],
  ["an ORIGIN attribute", { flags: ["-X", "-o", "https://kith.test"] }],
  ["a bandwidth request", { flags: ["-X", "-a", "100000"] }],
  ["client to client", { flags: ["-X", "-y"], clients: 4, noPeer: true }],
  ["client to client by indications", { flags: ["-X", "-y", "-s"], clients: 4, noPeer: true }],
  ["client to client over TCP", { flags: ["-X", "-y", "-t"], clients: 4, noPeer: true, over: "tcp" }],
  ["20 clients at once", { flags: ["-X"], clients: 20 }],
];

describe.concurrent(`turnutils_uclient${reasonWithout("turnutils_uclient")}`, () => {
  // The tool's own time-outs are short: on a busy machine it may give up a message that is on its way.
  const patience = { retry: 2 };
  it.skipIf(!hasTool("turnutils_uclient")).for(modes)(
    "gets every message back: %s",
    patience,
    async ([, mode], { expect }) => {
      const { flags, clients = 1, over, ipv6Peer = false, noPeer = false } = mode;
      const port = { udp: turn.udpPort, tcp: turn.tcpPort, tls: turn.tlsPort }[over ?? "udp"];
      const target = ipv6Peer ? peerIPv6.address : peer.address;
      const peerFlags = noPeer ? [] : ["-e", target.host, "-r", String(target.port)];
      const login = ["-u", "tool", "-W", TEST_SECRET];
      const load = ["-m", String(clients), "-n", String(MESSAGES), "-z", "10", "-l", String(DATA_BYTES), "-c"];
      const run = await runTool("turnutils_uclient", [
        ...flags,
        ...load,
        ...peerFlags,
        ...login,
        "-p",
        String(port),
        "127.0.0.1",
      ]);
      const total = MESSAGES * clients;
      const { sent, received } = uclientResult(run);
      // The tool takes what one TLS record holds for one message. On a busy machine two may share one, and it complains.
      const merged =
        over === "tls" ? mergedMessages(run, flags.includes("-s") ? DATA_INDICATION_BYTES : CHANNEL_DATA_BYTES) : 0;
      expect([run.exitCode, sent, received + merged]).toEqual([0, total, total]);
    },
  );

  it.skipIf(!hasTool("turnutils_uclient"))(
    "is told what is not offered: TCP relays (442), pairs of ports (508)",
    async ({ expect }) => {
      const common = ["-e", "127.0.0.1", "-r", String(peer.address.port), "-u", "tool", "-W", TEST_SECRET, "-n", "1"];
      const tcpRelay = await runTool("turnutils_uclient", ["-T", ...common, "-p", String(turn.tcpPort), "127.0.0.1"]);
      expect(tcpRelay.output).toContain("error 442");
      const pair = await runTool("turnutils_uclient", ["-X", ...common, "-p", String(turn.udpPort), "127.0.0.1"]);
      expect(pair.output).toContain("error 508");
    },
  );
});

describe(`turnutils_stunclient and _natdiscovery${reasonWithout("turnutils_stunclient", "turnutils_natdiscovery")}`, () => {
  it.skipIf(!hasTool("turnutils_stunclient"))("learn their address", async () => {
    const run = await runTool("turnutils_stunclient", ["-p", String(turn.udpPort), "127.0.0.1"]);
    expect([run.exitCode, run.output]).toEqual([0, expect.stringMatching(/UDP reflexive addr: 127\.0\.0\.1:\d+/)]);
  });

  it.skipIf(!hasTool("turnutils_natdiscovery"))("discover what a server of one address can tell", async () => {
    const run = await runTool("turnutils_natdiscovery", ["-m", "-f", "-p", String(turn.udpPort), "127.0.0.1"]);
    expect([run.exitCode, run.output]).toEqual([0, expect.stringMatching(/Mapping Behavior Discovery/)]);
  });
});
