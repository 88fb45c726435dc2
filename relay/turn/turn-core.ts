/**
 * The server without its sockets: takes messages from clients and datagrams from peers, and
 * decides. Whatever arrives, it answers, relays, or counts a refusal; it never throws.
 */
import type { Allocation, TurnClient } from "./allocation.ts";
import { Allocations } from "./allocations.ts";
import { NonceSource } from "./nonce.ts";
import type { PeerPolicy } from "./peer-policy.ts";
import type { QuotaBook } from "./quota-book.ts";
import { type RelayPortOptions, RelayPorts } from "./relay-ports.ts";
import { Relaying } from "./relaying.ts";
import { Attribute, StunClass, StunMethod } from "./stun-attributes.ts";
import { hasValidFingerprint } from "./stun-integrity.ts";
import { StunMessage } from "./stun-message.ts";
import { type RequestLimits, StunRequests } from "./stun-requests.ts";
import type { TransportAddress } from "./transport-address.ts";
import { type AuthenticationOptions, Authenticator } from "./turn-authentication.ts";
import type { TurnClock } from "./turn-clock.ts";
import type { Refusal, TurnCounters } from "./turn-counters.ts";
import { UdpClient } from "./udp-client.ts";
import type { UdpSocket, UdpTransport } from "./udp-transport.ts";

export interface TurnCoreOptions {
  readonly authentication: AuthenticationOptions;
  readonly relayPorts: RelayPortOptions;
  readonly limits: RequestLimits;
  readonly policy: PeerPolicy;
  readonly quotas: QuotaBook;
  readonly counters: TurnCounters;
  readonly transport: UdpTransport;
  readonly clock: TurnClock;
  readonly random: (bytes: number) => Uint8Array;
  /** The quota key of a source address. */
  sourceKey(address: TransportAddress): string;
  /** Hears of errors that are ours; the packet that met one is dropped. */
  onError(error: unknown): void;
}

export class TurnCore {
  readonly allocations: Allocations;
  readonly #options: TurnCoreOptions;
  readonly #relaying: Relaying;
  readonly #requests: StunRequests;
  readonly #message = new StunMessage();

  constructor(options: TurnCoreOptions) {
    const { policy, quotas, counters, clock, random, limits } = options;
    const { canForbidFragments } = options.transport;
    const seed = () => Buffer.from(random(4)).readInt32LE(0);
    const ports = new RelayPorts(options.transport, options.relayPorts, random);
    const allocations = new Allocations(ports, limits.allocation, seed(), (allocation, packet, start, end, peer) =>
      this.#fromPeer(allocation, packet, start, end, peer),
    );
    const services = {
      allocations,
      ports,
      policy,
      quotas,
      counters,
      canForbidFragments,
      sourceKey: options.sourceKey,
    };
    const authenticator = new Authenticator(options.authentication, new NonceSource(random(32)));
    const now = () => clock.monotonicMs();
    this.#options = options;
    this.allocations = allocations;
    this.#requests = new StunRequests(services, authenticator, clock, limits, seed);
    this.#relaying = new Relaying({ ports, policy, total: quotas.total, counters, random, canForbidFragments, now });
  }

  /** One datagram from a client, on the listening socket of this number. */
  fromUdp(
    socket: UdpSocket,
    listener: number,
    packet: Buffer,
    start: number,
    end: number,
    from: TransportAddress,
  ): void {
    try {
      const known = this.allocations.clientAt(from, listener) ?? null;
      if (isChannelData(packet, start, end)) {
        this.#channelData(known, packet, start, end);
      } else if (this.#isStun(packet, start, end)) {
        if (this.#message.messageClass !== StunClass.request) this.#indication(known);
        else this.#requests.handle(known ?? new UdpClient(from.clone(), listener, socket), this.#message);
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * One message of a stream client, cut out of its stream with its padding. Bytes before `start` may be overwritten,
   * those from `end` on are left alone.
   */
  fromStream(client: TurnClient, packet: Buffer, start: number, end: number): void {
    try {
      if (isChannelData(packet, start, end)) {
        this.#channelData(client, packet, start, end);
      } else if (this.#isStun(packet, start, end)) {
        if (this.#message.messageClass !== StunClass.request) this.#indication(client);
        else this.#requests.handle(client, this.#message);
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  /** RFC 8656 §7: an allocation ends with the connection that it was made on. */
  streamClosed(client: TurnClient): void {
    if (client.allocation !== null) this.allocations.remove(client.allocation, this.#options.clock.monotonicMs());
  }

  /** Ends what has expired. Call about once a second. */
  sweep(): void {
    const { clock, quotas } = this.#options;
    const nowMs = clock.monotonicMs();
    this.allocations.sweep(nowMs);
    this.#requests.sweep(nowMs);
    quotas.sweep(clock.wallMs(), nowMs);
  }

  close(): void {
    this.allocations.removeAll(this.#options.clock.monotonicMs());
  }

  #fromPeer(allocation: Allocation, packet: Buffer, start: number, end: number, peer: TransportAddress): void {
    try {
      this.#count(this.#relaying.fromPeer(allocation, packet, start, end, peer));
    } catch (error) {
      this.#failed(error);
    }
  }

  #channelData(client: TurnClient | null, packet: Buffer, start: number, end: number): void {
    const allocation = client?.allocation ?? null;
    if (allocation === null) this.#count("no-allocation");
    else this.#count(this.#relaying.channelData(allocation, packet, start, end));
  }

  /** Decodes into `#message`. @returns false if it is to be dropped, which has been counted */
  #isStun(packet: Buffer, start: number, end: number): boolean {
    if (this.#message.decode(packet, start, end) !== null) {
      this.#count("malformed");
      return false;
    }
    if (this.#message.has(Attribute.fingerprint) && !hasValidFingerprint(this.#message)) {
      this.#count("fingerprint-wrong");
      return false;
    }
    return true;
  }

  /** Whatever is no request: there is never an answer. */
  #indication(client: TurnClient | null): void {
    const { method, messageClass } = this.#message;
    const isIndication = messageClass === StunClass.indication;
    if (isIndication && method === StunMethod.send) {
      const allocation = client?.allocation ?? null;
      this.#count(allocation === null ? "no-allocation" : this.#relaying.sendIndication(allocation, this.#message));
    } else if (!isIndication || method !== StunMethod.binding) {
      // A Binding indication keeps a NAT's mapping alive and asks for nothing (RFC 8489 §6.3.2).
      this.#count("not-a-request");
    }
  }

  #count(refusal: Refusal | null): void {
    if (refusal !== null) this.#options.counters.refused[refusal]++;
  }

  #failed(error: unknown): void {
    this.#count("internal");
    this.#options.onError(error);
  }
}

/** RFC 8656 §12: the top bits 01 tell ChannelData from STUN's 00. */
function isChannelData(packet: Buffer, start: number, end: number): boolean {
  return end > start && packet.readUInt8(start) >> 6 === 1;
}
