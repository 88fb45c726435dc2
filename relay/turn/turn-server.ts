/**
 * The STUN and TURN server (RFC 8489, RFC 8656): puts its parts together and lets time
 * pass. It opens its UDP sockets itself; TCP and TLS connections are handed in by whoever
 * owns their port.
 */
import { createHmac } from "node:crypto";
import type { Socket } from "node:net";
import { KithError } from "../../protocol/errors.ts";
import { PeerPolicy } from "./peer-policy.ts";
import { QuotaBook } from "./quota-book.ts";
import { StreamClients } from "./stream-clients.ts";
import { TransportAddress } from "./transport-address.ts";
import { openTransports } from "./transport-choice.ts";
import { TurnCore } from "./turn-core.ts";
import { newTurnCounters, type TurnCounters } from "./turn-counters.ts";
import { type PortNeighbour, readTurnSettings, type TurnServerOptions, type TurnSettings } from "./turn-settings.ts";
import type { UdpLosses, UdpSocket, UdpTransport } from "./udp-transport.ts";

const SWEEP_MS = 1_000;
/** How many bytes relayed a crash may forget is bounded by this. */
const SAVE_MS = 10_000;
/** Addresses of the machine come and go; those that are ours are looked up again this often. */
const OWN_ADDRESSES_MS = 30_000;

export interface TurnStats extends TurnCounters {
  readonly udp: UdpTransport["kind"];
  readonly allocations: number;
  readonly streamClients: number;
  /** As in "2026-11", UTC, with the payload bytes relayed in it. */
  readonly month: string;
  readonly bytesThisMonth: number;
}

export interface TurnServer {
  /** Where UDP is listened on, in the order of the options, with the ports that were given. */
  readonly addresses: readonly TransportAddress[];
  /** Takes over a TCP or TLS connection. Bytes read from it already must have been put back with unshift(). */
  handleTcp(socket: Socket): void;
  /** Sends a datagram of the neighbour's from the listening port; lost if there is none of that family. */
  sendForNeighbour(datagram: Uint8Array, to: TransportAddress): void;
  stats(): TurnStats;
  /** Ends every allocation, closes every socket, saves the month's volumes. */
  close(): Promise<void>;
}

/** @throws KithError `option-invalid`, `port-in-use` */
export async function startTurnServer(options: TurnServerOptions): Promise<TurnServer> {
  const settings = readTurnSettings(options);
  const { clock, random, onError } = options;
  const counters = newTurnCounters();
  const losses: UdpLosses = {
    sendFailed: () => counters.refused["send-failed"]++,
    oversize: () => counters.refused.oversize++,
  };
  const { udp: transport, streams: streamTransport } = await openTransports(options.udp ?? "auto", losses);
  const policy = new PeerPolicy(settings.peers);
  const quotas = new QuotaBook(settings.quotas, options.ledger ?? null, clock.wallMs(), clock.monotonicMs());
  // From the secret, so that volumes by source mean the same after a restart.
  const sourceHashKey = createHmac("sha256", options.secrets[0] ?? "")
    .update("quota by source")
    .digest();
  const core = new TurnCore({
    authentication: settings.authentication,
    relayPorts: settings.relayPorts,
    limits: settings.requestLimits,
    policy,
    quotas,
    counters,
    transport,
    clock,
    random,
    sourceKey: (address) => sourceKey(address, sourceHashKey),
    onError,
  });
  const streams = new StreamClients(streamTransport, settings.streamLimits, {
    message: (client, packet, start, end) => core.fromStream(client, packet, start, end),
    refused: (refusal) => counters.refused[refusal]++,
    closed: (client) => core.streamClosed(client),
    nowMs: () => clock.monotonicMs(),
  });
  const sockets = listen(settings.listen, transport, core, options.neighbour ?? null);
  const addresses = sockets.map((socket) => socket.address);
  const findOwn = () => policy.setOwn(ownAddresses(settings, addresses, options));
  findOwn();

  const timers = [
    setInterval(() => {
      core.sweep();
      streams.sweep(clock.monotonicMs());
    }, SWEEP_MS),
    setInterval(() => quotas.save(), SAVE_MS),
    setInterval(findOwn, OWN_ADDRESSES_MS),
  ];
  for (const timer of timers) timer.unref();

  return {
    addresses,
    handleTcp: (socket) => streams.accept(socket),
    sendForNeighbour(datagram, to) {
      const socket = sockets.find(({ address }) => address.family === to.family);
      // A copy outside of the heap, whose address holds until it has left.
      socket?.send(Buffer.from(datagram), 0, datagram.length, to);
    },
    stats: () => ({
      ...counters,
      refused: { ...counters.refused },
      udp: transport.kind,
      allocations: core.allocations.size,
      streamClients: streams.size,
      month: quotas.month,
      bytesThisMonth: quotas.total.bytesThisMonth,
    }),
    async close() {
      for (const timer of timers) clearInterval(timer);
      core.close();
      streams.closeAll();
      streamTransport.close();
      transport.close();
      quotas.save();
    },
  };
}

function listen(
  addresses: readonly TransportAddress[],
  transport: UdpTransport,
  core: TurnCore,
  neighbour: PortNeighbour | null,
): UdpSocket[] {
  const neighbourByte = neighbour?.firstByte ?? -1;
  const sockets: UdpSocket[] = [];
  for (const [listener, address] of addresses.entries()) {
    const socket = transport.open(address, "listen", (packet, start, end, from) => {
      const own = sockets[listener];
      if (packet[start] === neighbourByte && end > start) {
        neighbour?.receive(Uint8Array.prototype.slice.call(packet, start, end));
        return;
      }
      if (own !== undefined) core.fromUdp(own, listener, packet, start, end, from);
    });
    if (socket === null) {
      transport.close();
      throw new KithError("port-in-use", { port: address.port });
    }
    sockets.push(socket);
  }
  return sockets;
}

function ownAddresses(settings: TurnSettings, listening: readonly TransportAddress[], options: TurnServerOptions) {
  const { ipv4, ipv6 } = settings.relayPorts;
  const relays = [ipv4, ipv6].filter((relay) => relay !== null);
  const local = options.localAddresses().map((host) => TransportAddress.parse(host, 0));
  return {
    relayHosts: relays.map((relay) => relay.external),
    hosts: [
      ...listening,
      ...relays.flatMap((relay) => [relay.bind, relay.external]),
      ...local.filter((address) => address !== null),
    ],
    servicePorts: new Set([...listening.map((address) => address.port), ...(options.servicePorts ?? [])]),
  };
}

/** One IPv4 address, or the /64 that one IPv6 customer has; hashed, because volumes by source may be written to a disk. */
function sourceKey(address: TransportAddress, key: Uint8Array): string {
  const text = address.family === 4 ? address.host : `${address.w0} ${address.w1}`;
  return createHmac("sha256", key).update(text).digest("base64url").slice(0, 22);
}
