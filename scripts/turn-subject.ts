/**
 * A TURN server under test as a process of its own: ours, by either UDP path, or node-turn.
 * Reports its ports and ends when its parent goes.
 */
import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { performance } from "node:perf_hooks";
import { UNLIMITED } from "../relay/turn/relay-quota.ts";
import { startTurnServer } from "../relay/turn/turn-server.ts";
import { freePort } from "./free-port.ts";

/** What the process tells its parent once it listens. */
export interface SubjectReady {
  readonly udpPort: number;
  readonly tcpPort: number | null;
}

export const SUBJECT_SECRET = "a secret for benchmarks alone";
/** node-turn has fixed users, and so does its load. */
export const SUBJECT_LOGIN = { username: "load", password: "load" };
const REALM = "bench.kith";
const RELAY_PORTS = { min: 10_000, max: 32_000 };

/** @param args one: "batched", "portable" or "node-turn" */
export async function runTurnSubject([kind = ""]: readonly string[]): Promise<void> {
  const ready = kind === "node-turn" ? await startNodeTurn() : await startOurs(kind === "portable" ? kind : "batched");
  process.once("disconnect", () => process.exit(0));
  process.send?.(ready);
}

async function startOurs(udp: "batched" | "portable"): Promise<SubjectReady> {
  const unlimited = { perSecond: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY };
  const server = await startTurnServer({
    listen: [{ address: "127.0.0.1", port: 0 }],
    relayIPv4: { bind: "127.0.0.1" },
    relayPorts: RELAY_PORTS,
    realm: REALM,
    secrets: [SUBJECT_SECRET],
    allowedPeers: ["127.0.0.0/8"],
    // Everything comes from one address here.
    quotas: { total: UNLIMITED, perUser: UNLIMITED, perSource: UNLIMITED },
    requestLimits: { bindings: unlimited, unauthenticated: unlimited, allocation: unlimited },
    streamLimits: { connections: 20_000, connectionsPerSource: 20_000 },
    udp,
    clock: { wallMs: Date.now, monotonicMs: () => performance.now() },
    random: randomBytes,
    localAddresses: () =>
      Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
    onError: (error) => console.error(error),
  });
  const tcp = createServer((socket) => server.handleTcp(socket));
  await new Promise<void>((resolve) => tcp.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, resolve));
  return { udpPort: server.addresses[0]?.port ?? 0, tcpPort: (tcp.address() as AddressInfo).port };
}

async function startNodeTurn(): Promise<SubjectReady> {
  const { default: NodeTurn } = await import("node-turn");
  const udpPort = await freePort();
  new NodeTurn({
    listeningPort: udpPort,
    listeningIps: ["127.0.0.1"],
    relayIps: ["127.0.0.1"],
    minPort: RELAY_PORTS.min,
    maxPort: RELAY_PORTS.max,
    authMech: "long-term",
    credentials: { [SUBJECT_LOGIN.username]: SUBJECT_LOGIN.password },
    realm: REALM,
    debugLevel: "OFF",
  }).start();
  // It says nothing when it is ready; the load asks again until it is answered.
  return { udpPort, tcpPort: null };
}
