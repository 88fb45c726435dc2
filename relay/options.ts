/** The command line of a supernode, and its environment. */
import { isIP } from "node:net";
import { z } from "zod";
import { HOST_PATTERN } from "../protocol/certificate.ts";
import { type CommandLine, type Environment, readCommandLine } from "../protocol/command-line.ts";
import { NetworkId } from "../protocol/identifiers.ts";
import { MAX_RELAY_URLS, RelayUrl } from "../protocol/supernode-api.ts";
import { address, amount, list, listenAddress, portRange, wholeNumber } from "./option-values.ts";
import type { RelayingChoice } from "./turn/call-relay-options.ts";
import { IpRange } from "./turn/ip-range.ts";
import type { QuotaLimits } from "./turn/relay-quota.ts";

export const HELP = `Kith supernode: attach point, directory shard, router and call relay of one network.

Usage: npm run relay -- --login-server URL --enrolment-token TOKEN [options]

  --login-server URL       the network's login server (KITH_RELAY_LOGIN_SERVER)
  --enrolment-token TOKEN  what its host gave you to join with (KITH_RELAY_ENROLMENT_TOKEN)
  --network-key FINGERPRINT  of the network's newest key, where its host has to vouch for it: after one was stolen
                           (KITH_RELAY_NETWORK_KEY)
  --data DIR               data folder: keys, certificate, supernode list (KITH_RELAY_DATA, default ./relay-data)
  --listen ADDRESS         address to listen on (KITH_RELAY_LISTEN, default 127.0.0.1; 0.0.0.0 for all)
  --host NAME              how others reach this machine: a name or a public address
                           (KITH_RELAY_HOST, default the address to listen on)
  --port N                 TCP and UDP (KITH_RELAY_PORT, default 0: the one of the last time, or any free one)
  --nodes N                people attached at once; beyond, newcomers are sent elsewhere (KITH_RELAY_NODES, default 10000)
  --drain-seconds N        how long attached nodes get to go elsewhere at SIGTERM (KITH_RELAY_DRAIN_SECONDS, default 60);
                           it ends as soon as all have gone
  --status-listen ADDR:PORT  where its operator reads the status page, /metrics for Prometheus, /health and /ready:
                           plain HTTP for this machine or a network of yours; off for none
                           (KITH_RELAY_STATUS_LISTEN, default 127.0.0.1:0, any free port, said at the start)
  --log-level LEVEL        silent, error, warn, info or debug: JSON lines on stderr (KITH_RELAY_LOG_LEVEL, default info)

Calls between people whose firewalls let nothing in are relayed, sealed end to end:

  --relay on|off           (KITH_RELAY_RELAY, default on)
  --udp-port N             (KITH_RELAY_UDP_PORT, default 0: the number of the TCP port, whose UDP is needed in any case)
  --external-address IP    how peers see this machine, if --host does not say it; one per family, with a comma
                           between (KITH_RELAY_EXTERNAL_ADDRESS)
  --relay-port-range A-B   UDP ports that calls are relayed on (KITH_RELAY_RELAY_PORT_RANGE, default 49152-65535)
  --allow-peer RANGE       private, loopback and other special addresses are refused as peers; these are not
                           (KITH_RELAY_ALLOW_PEER, as 10.0.0.0/8,192.168.1.7)
  --relay-calls N          relayed ends of calls at once (KITH_RELAY_RELAY_CALLS, default 2000)
  --relay-mbit N           megabits a second in all, both directions together (KITH_RELAY_RELAY_MBIT, default 100)
  --relay-month-gb N       gigabytes a calendar month in all, UTC (KITH_RELAY_RELAY_MONTH_GB, default no limit)
  --relay-user-kbit N      kilobits a second for each user (KITH_RELAY_RELAY_USER_KBIT, default 2000)
  --relay-user-month-gb N  gigabytes a month for each user (KITH_RELAY_RELAY_USER_MONTH_GB, default no limit)
  --external-turn URL      another TURN server relays instead, such as coturn; several with a comma between
                           (KITH_RELAY_EXTERNAL_TURN, as turn:turn.example.org?transport=udp)
  --external-turn-secret S its static-auth-secret (KITH_RELAY_EXTERNAL_TURN_SECRET)

  --help                   this text

Open the ports in the firewall: TCP and UDP of --port, UDP of --relay-port-range. A byte relayed counts once,
though the line carries it in and out. The data folder is this supernode's identity: nobody else may read it.
`;

const Fields = z.object({
  "login-server": z
    .string("the address of the login server is needed")
    .min(1, "the address of the login server is needed"),
  "enrolment-token": z
    .string("the token to join with is needed")
    .min(1, "the token to join with is needed")
    .max(256, "at most 256 characters"),
  "network-key": z
    .string()
    .transform((text) => text.replace(/\s/g, "").toLowerCase())
    .pipe(z.string().regex(/^[0-9a-f]{40}$/, "40 digits and letters from a to f are needed"))
    .transform((text) => NetworkId.parse(text))
    .optional(),
  data: z.string().min(1, "a folder is needed").default("relay-data"),
  listen: address("an IP address is needed, such as 127.0.0.1 or 0.0.0.0").default("127.0.0.1"),
  host: z.string().regex(HOST_PATTERN, "a host name or an IP address is needed").optional(),
  port: wholeNumber(65_535).default(0),
  nodes: wholeNumber(1_000_000).optional(),
  "drain-seconds": wholeNumber(3_600).default(60),
  "status-listen": listenAddress("127.0.0.1:9470").prefault("127.0.0.1:0"),
  "log-level": z
    .enum(["silent", "error", "warn", "info", "debug"], "silent, error, warn, info or debug")
    .default("info"),
  relay: z.enum(["on", "off"], "on or off").default("on"),
  "udp-port": wholeNumber(65_535).default(0),
  "external-address": list((item) => isIP(item) !== 0, "IP addresses are needed").default([]),
  "relay-port-range": portRange().optional(),
  "allow-peer": list((item) => IpRange.parse(item) !== null, "address ranges are needed, as 10.0.0.0/8").default([]),
  "relay-calls": wholeNumber(1_000_000).optional(),
  "relay-mbit": amount().optional(),
  "relay-month-gb": amount().optional(),
  "relay-user-kbit": amount().optional(),
  "relay-user-month-gb": amount().optional(),
  "external-turn": list((item) => RelayUrl.safeParse(item).success, "stun:, turn: or turns: URLs are needed")
    .refine((urls) => urls.length <= MAX_RELAY_URLS, `at most ${MAX_RELAY_URLS} of them`)
    .optional(),
  "external-turn-secret": z.string().min(16, "at least 16 characters, drawn at random").optional(),
});

const Options = Fields.transform((options) => ({ ...options, host: options.host ?? options.listen }))
  .refine((options) => (options["external-turn"] === undefined) === (options["external-turn-secret"] === undefined), {
    path: ["external-turn-secret"],
    message: "the other TURN server's URL and its secret are needed, both or none",
  })
  .refine(({ host }) => host !== "0.0.0.0" && host !== "::", {
    path: ["host"],
    message: "say how others reach this machine, since it listens on all its addresses",
  });

type Options = z.infer<typeof Options>;

const KBIT_BYTES = 1_000 / 8;
const MBIT_BYTES = 1_000_000 / 8;
const GB_BYTES = 1_000_000_000;

/** What the options say about relaying calls. */
export function relayingOf(options: Options): RelayingChoice {
  if (options.relay === "off") return { kind: "off" };
  const { "external-turn": urls, "external-turn-secret": secret } = options;
  if (urls !== undefined && secret !== undefined) return { kind: "external", turn: { urls, secret } };
  const times = (value: number | undefined, unit: number) => (value === undefined ? undefined : value * unit);
  return {
    kind: "own",
    options: {
      udpPort: options["udp-port"],
      externalAddresses: options["external-address"],
      allowedPeers: options["allow-peer"],
      ports: options["relay-port-range"] ?? null,
      total: given({
        allocations: options["relay-calls"],
        bytesPerSecond: times(options["relay-mbit"], MBIT_BYTES),
        bytesPerMonth: times(options["relay-month-gb"], GB_BYTES),
      }),
      perUser: given({
        bytesPerSecond: times(options["relay-user-kbit"], KBIT_BYTES),
        bytesPerMonth: times(options["relay-user-month-gb"], GB_BYTES),
      }),
    },
  };
}

/** Without what is undefined, so that it does not replace a default. */
function given(limits: Readonly<Record<string, number | undefined>>): Partial<QuotaLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/**
 * @param environment where each option may also stand, as KITH_RELAY_ and its name in capitals.
 * @throws KithError `option-invalid`
 */
export function parseCommandLine(args: readonly string[], environment: Environment): CommandLine<Options> {
  return readCommandLine(
    { names: Object.keys(Fields.shape), schema: Options, prefix: "KITH_RELAY_" },
    args,
    environment,
  );
}
