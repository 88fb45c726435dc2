/** The TURN server without an operating system: its core, with sockets that are arrays and a clock that is a number. */

import { PeerPolicy } from "../../relay/turn/peer-policy.ts";
import { QuotaBook } from "../../relay/turn/quota-book.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { TurnCore } from "../../relay/turn/turn-core.ts";
import { newTurnCounters, type Refusal } from "../../relay/turn/turn-counters.ts";
import { issueTurnCredential } from "../../relay/turn/turn-credential.ts";
import { readTurnSettings, type TurnServerOptions } from "../../relay/turn/turn-settings.ts";
import type { DatagramHandler, UdpPurpose, UdpSocket, UdpTransport } from "../../relay/turn/udp-transport.ts";
import { MemoryClient } from "./turn-memory-client.ts";

export const MEMORY_SECRET = "a secret for tests, 32 characters";
export const MEMORY_REALM = "kith.test";
/** The server's external address; peers of tests live in the public range 198.41.0.0/16. */
export const EXTERNAL_IPV4 = "198.41.128.1";
export const EXTERNAL_IPV6 = "2001:500:1::1";

interface Sent {
  readonly bytes: Buffer;
  readonly to: TransportAddress;
  readonly unfragmented: boolean;
}

export class MemorySocket implements UdpSocket {
  readonly address: TransportAddress;
  readonly handler: DatagramHandler;
  readonly sent: Sent[] = [];
  isOpen = true;

  constructor(address: TransportAddress, handler: DatagramHandler) {
    this.address = address;
    this.handler = handler;
  }

  send(packet: Buffer, start: number, end: number, to: TransportAddress): void {
    this.sent.push({ bytes: Buffer.from(packet.subarray(start, end)), to: to.clone(), unfragmented: false });
  }

  sendUnfragmented(packet: Buffer, start: number, end: number, to: TransportAddress): void {
    this.sent.push({ bytes: Buffer.from(packet.subarray(start, end)), to: to.clone(), unfragmented: true });
  }

  close(): void {
    this.isOpen = false;
  }

  /** A datagram arrives. */
  deliver(bytes: Uint8Array, from: TransportAddress): void {
    const room = Buffer.alloc(64 + bytes.length + 64, 0xee);
    room.set(bytes, 64);
    this.handler(room, 64, 64 + bytes.length, from);
  }
}

export class MemoryUdp implements UdpTransport {
  readonly kind = "portable";
  readonly canForbidFragments: boolean;
  readonly sockets: MemorySocket[] = [];
  /** Ports that something else on the machine has. */
  readonly taken = new Set<number>();
  isExhausted = false;

  constructor(canForbidFragments: boolean) {
    this.canForbidFragments = canForbidFragments;
  }

  open(address: TransportAddress, _purpose: UdpPurpose, handler: DatagramHandler): MemorySocket | null {
    if (this.isExhausted || this.taken.has(address.port)) return null;
    const socket = new MemorySocket(address, handler);
    this.sockets.push(socket);
    return socket;
  }

  close(): void {}

  /** The relay socket that is bound at this port. */
  at(port: number): MemorySocket {
    const socket = this.sockets.find((candidate) => candidate.isOpen && candidate.address.port === port);
    if (socket === undefined) throw new Error(`no socket at port ${port}`);
    return socket;
  }
}

export class MemoryTurn {
  readonly udp: MemoryUdp;
  readonly core: TurnCore;
  readonly counters = newTurnCounters();
  readonly errors: unknown[] = [];
  readonly quotas: QuotaBook;
  readonly listening: MemorySocket;
  nowMs = 1_000_000;
  wallMs = Date.UTC(2026, 10, 23, 12);
  #seed = 1;
  #transactions = 0;

  constructor(overrides: Partial<TurnServerOptions> & { readonly canForbidFragments?: boolean } = {}) {
    const random = (bytes: number) => this.#random(bytes);
    const clock = { wallMs: () => this.wallMs, monotonicMs: () => this.nowMs };
    const settings = readTurnSettings({
      listen: [{ address: EXTERNAL_IPV4, port: 3478 }],
      relayIPv4: { bind: "10.0.0.5", external: EXTERNAL_IPV4 },
      relayIPv6: { bind: EXTERNAL_IPV6 },
      realm: MEMORY_REALM,
      secrets: [MEMORY_SECRET],
      localAddresses: () => [],
      clock,
      random,
      onError: () => {},
      ...overrides,
    });
    const policy = new PeerPolicy(settings.peers);
    const address = (host: string) => TransportAddress.parse(host, 0) as TransportAddress;
    policy.setOwn({
      hosts: ["10.0.0.5", EXTERNAL_IPV4, EXTERNAL_IPV6].map(address),
      relayHosts: [EXTERNAL_IPV4, EXTERNAL_IPV6].map(address),
      servicePorts: new Set([3478]),
    });
    this.udp = new MemoryUdp(overrides.canForbidFragments ?? true);
    this.quotas = new QuotaBook(settings.quotas, overrides.ledger ?? null, this.wallMs, this.nowMs);
    this.core = new TurnCore({
      authentication: settings.authentication,
      relayPorts: settings.relayPorts,
      limits: settings.requestLimits,
      policy,
      quotas: this.quotas,
      counters: this.counters,
      transport: this.udp,
      clock,
      random,
      sourceKey: (source) => source.host,
      onError: (error) => this.errors.push(error),
    });
    const listening = this.udp.open(settings.listen[0] as TransportAddress, "listen", (packet, start, end, from) =>
      this.core.fromUdp(this.listening, 0, packet, start, end, from),
    );
    if (listening === null) throw new Error("no listening socket");
    this.listening = listening;
  }

  get refusals(): Partial<Record<Refusal, number>> {
    return Object.fromEntries(Object.entries(this.counters.refused).filter(([, count]) => count > 0));
  }

  nextTransaction(): number {
    return ++this.#transactions;
  }

  /** Lets time pass, with the sweep that comes every second. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.wallMs += ms;
    this.core.sweep();
  }

  /** What is sent to the client in answer to these bytes. */
  exchange(bytes: Uint8Array, from: TransportAddress): Buffer[] {
    const before = this.listening.sent.length;
    this.listening.deliver(bytes, from);
    return this.listening.sent.slice(before).map((sent) => sent.bytes);
  }

  client(address = "198.41.7.7:40000", userId = "alice", secret = MEMORY_SECRET): MemoryClient {
    const [host = "", port] = address.split(/:(?=\d+$)/);
    const from = TransportAddress.parse(host.replace(/[[\]]/g, ""), Number(port));
    if (from === null) throw new Error(`${address} is no address`);
    return new MemoryClient(this, from, issueTurnCredential(secret, userId, this.wallMs));
  }

  /** A xorshift: the same packets in every run. */
  #random(bytes: number): Uint8Array {
    const drawn = new Uint8Array(bytes);
    for (let index = 0; index < bytes; index++) {
      this.#seed ^= this.#seed << 13;
      this.#seed ^= this.#seed >>> 17;
      this.#seed ^= this.#seed << 5;
      drawn[index] = this.#seed;
    }
    return drawn;
  }
}
