/**
 * Calls that cannot go directly go through here: the supernode's own TURN server on its two
 * ports, or another one that the operator names. Whoever is attached gets a credential.
 */
import { randomBytes } from "node:crypto";
import { networkInterfaces } from "node:os";
import type { Logger } from "pino";
import { authority } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import type { RelayCredentials } from "../../protocol/supernode-api.ts";
import type { DataFolder } from "../data-folder.ts";
import type { DatagramPort } from "../membership/datagram-port.ts";
import { type StreamProtocol, stunProtocol } from "../ports/first-byte.ts";
import { SharedUdpPort } from "../ports/shared-udp-port.ts";
import { callRelayFigures } from "../status/call-relay-figures.ts";
import type { FigureSection } from "../status/figures.ts";
import {
  type CallRelayOptions,
  type RelayAddresses,
  type RelayingChoice,
  relayAddresses,
} from "./call-relay-options.ts";
import { RelayVolumes } from "./relay-volumes.ts";
import { issueTurnCredential } from "./turn-credential.ts";
import { startTurnServer, type TurnServer, type TurnStats } from "./turn-server.ts";
import { DEFAULT_QUOTAS } from "./turn-settings.ts";

export interface CallRelay {
  /** For `relayCredentials`; without URLs where nothing is relayed. */
  credentialsFor(userId: UserId): RelayCredentials;
  /** TURN over TCP, to be put on the shared port as it is and inside TLS; none where another server relays. */
  readonly protocols: readonly StreamProtocol[];
  /** A share in the UDP port for the gossip; null where calls are relayed on another number or not at all. */
  readonly gossipPort: DatagramPort | null;
  /** Null where no TURN server of our own runs. */
  stats(): TurnStats | null;
  /** What it shows the operator. */
  readonly figures: readonly FigureSection[];
  close(): Promise<void>;
}

export interface CallRelayParts {
  readonly folder: DataFolder;
  /** The address that the supernode listens on. */
  readonly listen: string;
  /** As it is advertised. */
  readonly host: string;
  readonly tcpPort: number;
  /** ms since 1970 */
  readonly now: () => number;
  readonly log: Logger;
}

const REALM = "kith";
const SECRET_FILE = "turn-secret";
const SECRET_BYTES = 32;

/** @throws KithError `option-invalid`, `port-in-use`, `data-corrupt`, `data-newer`, `data-folder-unwritable` */
export async function openCallRelay(choice: RelayingChoice, parts: CallRelayParts): Promise<CallRelay> {
  switch (choice.kind) {
    case "off":
      return NO_RELAY;
    case "external":
      return withoutServer(issuer(choice.turn.urls, choice.turn.secret, parts.now));
    case "own":
      return ownRelay(choice.options, parts);
    default:
      return choice satisfies never;
  }
}

const NO_RELAY = withoutServer(() => ({ urls: [], username: "", credential: "", expiresAt: 0 }));

function withoutServer(credentialsFor: CallRelay["credentialsFor"]): CallRelay {
  return { credentialsFor, protocols: [], gossipPort: null, stats: () => null, figures: [], close: async () => {} };
}

function issuer(urls: readonly string[], secret: string, now: () => number): CallRelay["credentialsFor"] {
  return (userId) => {
    const { username, password, expiresAtS } = issueTurnCredential(secret, userId, now());
    return { urls: [...urls], username, credential: password, expiresAt: expiresAtS * 1_000 };
  };
}

async function ownRelay(options: CallRelayOptions, parts: CallRelayParts): Promise<CallRelay> {
  const { listen, host, tcpPort, now } = parts;
  const addresses = await relayAddresses(listen, host, options.externalAddresses);
  const secret = openSecret(parts.folder);
  // The number of the TCP port, so that the operator opens one number.
  const udpPort = options.udpPort === 0 ? tcpPort : options.udpPort;
  const gossipPort = udpPort === tcpPort ? new SharedUdpPort(udpPort) : null;
  const server = await startOwnServer(udpPort, options, addresses, secret, gossipPort, parts);
  gossipPort?.sendThrough(server);
  const udp = authority({ host, port: udpPort });
  const tcp = authority({ host, port: tcpPort });
  const urls = [`stun:${udp}`, `turn:${udp}?transport=udp`, `turn:${tcp}?transport=tcp`];
  return {
    credentialsFor: issuer(urls, secret, now),
    protocols: [stunProtocol((socket) => server.handleTcp(socket))],
    gossipPort,
    stats: () => server.stats(),
    figures: [callRelayFigures(() => server.stats(), { ...DEFAULT_QUOTAS.total, ...options.total })],
    close: () => server.close(),
  };
}

function startOwnServer(
  udpPort: number,
  { allowedPeers, ports, udp, total, perUser }: CallRelayOptions,
  { listen, ipv4, ipv6 }: RelayAddresses,
  secret: string,
  gossipPort: SharedUdpPort | null,
  { folder, tcpPort, now, log }: CallRelayParts,
): Promise<TurnServer> {
  return startTurnServer({
    listen: listen.map((address) => ({ address, port: udpPort })),
    relayIPv4: ipv4,
    relayIPv6: ipv6,
    relayPorts: ports ?? undefined,
    udp,
    realm: REALM,
    secrets: [secret],
    quotas: {
      total: { ...DEFAULT_QUOTAS.total, ...total },
      perUser: { ...DEFAULT_QUOTAS.perUser, ...perUser },
    },
    allowedPeers,
    servicePorts: [tcpPort],
    neighbour: gossipPort ?? undefined,
    ledger: new RelayVolumes(folder, log),
    clock: { wallMs: now, monotonicMs: () => performance.now() },
    random: randomBytes,
    localAddresses: () =>
      Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
    onError: (error) => log.error({ err: error }, "the relay met an error of its own"),
  });
}

/** Kept, so that the volumes of this month mean the same sources after a restart. */
function openSecret(folder: DataFolder): string {
  const kept = folder.read(SECRET_FILE);
  if (kept) {
    const secret = Buffer.from(kept).toString("utf8").trim();
    if (Buffer.from(secret, "base64").length !== SECRET_BYTES) {
      throw new KithError("data-corrupt", { path: folder.pathOf(SECRET_FILE) });
    }
    return secret;
  }
  const secret = randomBytes(SECRET_BYTES).toString("base64");
  folder.write(SECRET_FILE, Buffer.from(`${secret}\n`));
  return secret;
}
