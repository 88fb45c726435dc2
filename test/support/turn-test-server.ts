/** A TURN server on loopback for tests, with a clock that can be moved on and an echoing peer. */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { type AddressInfo, createServer } from "node:net";
import { performance } from "node:perf_hooks";
import { createServer as createTlsServer } from "node:tls";
import { generate } from "selfsigned";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { issueTurnCredential } from "../../relay/turn/turn-credential.ts";
import { startTurnServer, type TurnServer } from "../../relay/turn/turn-server.ts";
import type { TurnServerOptions } from "../../relay/turn/turn-settings.ts";
import { TurnClient, type TurnClientOptions, type TurnLogin } from "./turn-client.ts";

export const TEST_SECRET = "a secret for tests, 32 characters";
export const TEST_REALM = "kith.test";

const certificate = generate([{ name: "commonName", value: "localhost" }], {
  keyType: "ec",
  curve: "P-256",
  algorithm: "sha256",
});

export interface TestTurnServer {
  readonly server: TurnServer;
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly tlsPort: number;
  /** Errors that the server reported as its own. A test expects none. */
  readonly errors: readonly unknown[];
  /** Moves both clocks of the server on. Its timers run on real time: expiry shows within a second or at the next packet. */
  pass(ms: number): void;
  wallMs(): number;
  login(userId?: string, lifetimeS?: number): TurnLogin;
  client(options?: Partial<TurnClientOptions>): Promise<TurnClient>;
  close(): Promise<void>;
}

export async function startTestTurnServer(overrides: Partial<TurnServerOptions> = {}): Promise<TestTurnServer> {
  let passedMs = 0;
  const errors: unknown[] = [];
  const wallMs = () => Date.now() + passedMs;
  const server = await startTurnServer({
    listen: [{ address: "127.0.0.1", port: 0 }],
    relayIPv4: { bind: "127.0.0.1" },
    relayIPv6: { bind: "::1" },
    relayPorts: { min: 20_000, max: 60_000 },
    realm: TEST_REALM,
    secrets: [TEST_SECRET],
    allowedPeers: ["127.0.0.0/8", "::1"],
    localAddresses: () => ["127.0.0.1", "::1"],
    clock: { wallMs, monotonicMs: () => performance.now() + passedMs },
    random: randomBytes,
    onError: (error) => errors.push(error),
    ...overrides,
  });
  const tcp = createServer((socket) => server.handleTcp(socket));
  const pems = await certificate;
  const tls = createTlsServer({ key: pems.private, cert: pems.cert }, (socket) => server.handleTcp(socket));
  const [tcpPort, tlsPort] = await Promise.all([listen(tcp), listen(tls)]);
  const udpPort = server.addresses[0]?.port ?? 0;
  const sockets: TurnClient[] = [];
  const login = (userId = "alice", lifetimeS?: number) => {
    const { username, password } = issueTurnCredential(TEST_SECRET, userId, wallMs(), lifetimeS);
    return { username, password };
  };
  return {
    server,
    udpPort,
    tcpPort,
    tlsPort,
    errors,
    pass: (ms) => {
      passedMs += ms;
    },
    wallMs,
    login,
    async client(options = {}) {
      const ports = { udp: udpPort, tcp: tcpPort, tls: tlsPort };
      const port = ports[options.transport ?? "udp"];
      const client = await TurnClient.open({ server: { host: "127.0.0.1", port }, login: login(), ...options });
      sockets.push(client);
      return client;
    },
    async close() {
      for (const client of sockets) await client.close();
      await server.close();
      await Promise.all([tcp, tls].map((listener) => new Promise((resolve) => listener.close(resolve))));
    },
  };
}

export interface EchoPeer {
  readonly address: TransportAddress;
  readonly received: readonly Buffer[];
  /** Where the latest packet came from. */
  readonly latestSource: TransportAddress | null;
  /** Sends without having been asked. */
  send(data: Uint8Array, to: TransportAddress): void;
  close(): Promise<void>;
}

/** A peer on loopback. @param echoes whether it sends back what comes */
export async function startPeer(echoes = true, host = "127.0.0.1"): Promise<EchoPeer> {
  const socket: Socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  const received: Buffer[] = [];
  let latestSource: TransportAddress | null = null;
  socket.on("message", (data, remote) => {
    received.push(data);
    latestSource = TransportAddress.parse(remote.address, remote.port);
    if (echoes) socket.send(data, remote.port, remote.address);
  });
  return {
    address: addressOf(host, socket.address().port),
    received,
    get latestSource() {
      return latestSource;
    },
    send: (data, to) => socket.send(data, to.port, to.host),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** @throws an Error if `host` is no IP address */
export function addressOf(host: string, port: number): TransportAddress {
  const address = TransportAddress.parse(host, port);
  if (address === null) throw new Error(`${host} is no IP address`);
  return address;
}

function listen(listener: { listen(port: number, host: string, done: () => void): unknown; address(): unknown }) {
  return new Promise<number>((resolve) => {
    listener.listen(0, "127.0.0.1", () => resolve((listener.address() as AddressInfo).port));
  });
}
