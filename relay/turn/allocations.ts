/** Every allocation of the server: making, finding and ending them (RFC 8656 §7, §8). */
import { AddressTable } from "./address-table.ts";
import type { TurnClient } from "./allocation.ts";
import { Allocation, type AllocationOwner, type Relay } from "./allocation.ts";
import type { RelayPorts } from "./relay-ports.ts";
import type { RateLimit } from "./source-limiter.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { AddressFamily, TransportAddress } from "./transport-address.ts";

/** What a datagram that reaches a relayed address is handed to. */
export type PeerDatagramHandler = (
  allocation: Allocation,
  packet: Buffer,
  start: number,
  end: number,
  peer: TransportAddress,
) => void;

export interface AllocationPlan {
  readonly owner: AllocationOwner;
  readonly lifetimeS: number;
  /** The first must be had; the second is had if it can be (RFC 8656 §7.2, ADDITIONAL-ADDRESS-FAMILY). */
  readonly families: readonly [AddressFamily, ...AddressFamily[]];
  readonly evenPort: boolean;
}

export class Allocations {
  readonly #ports: RelayPorts;
  readonly #requestLimit: RateLimit;
  readonly #onDatagram: PeerDatagramHandler;
  readonly #all = new Set<Allocation>();
  /** UDP clients with an allocation. A stream client carries its own. */
  readonly #udpClients: AddressTable<TurnClient>;

  /** @param seed a random 32-bit integer */
  constructor(ports: RelayPorts, requestLimit: RateLimit, seed: number, onDatagram: PeerDatagramHandler) {
    this.#ports = ports;
    this.#requestLimit = requestLimit;
    this.#udpClients = new AddressTable(seed);
    this.#onDatagram = onDatagram;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The UDP client with an allocation at this 5-tuple. */
  clientAt(address: TransportAddress, listener: number): TurnClient | undefined {
    return this.#udpClients.get(address, listener);
  }

  /** @returns null if no relayed address of the first family is free */
  create(client: TurnClient, plan: AllocationPlan, nowMs: number): Allocation | null {
    const { perSecond, burst } = this.#requestLimit;
    const requests = new TokenBucket(perSecond, burst, nowMs);
    const allocation = new Allocation(client, plan.owner, nowMs + plan.lifetimeS * 1_000, requests);
    const relays: Relay[] = [];
    for (const family of plan.families) {
      const relay = this.#ports.open(family, plan.evenPort, allocation, (packet, start, end, from) =>
        this.#onDatagram(allocation, packet, start, end, from),
      );
      if (relay !== null) relays.push(relay);
      else if (relays.length === 0) return null;
    }
    allocation.relays = relays;
    client.allocation = allocation;
    this.#all.add(allocation);
    if (!client.isStream) this.#udpClients.set(client.address, client.listener, client);
    plan.owner.user.allocations++;
    plan.owner.source.allocations++;
    return allocation;
  }

  remove(allocation: Allocation, nowMs: number): void {
    if (!this.#all.delete(allocation)) return;
    const { client, owner } = allocation;
    for (const relay of allocation.relays) this.#ports.close(relay);
    allocation.relays = [];
    client.allocation = null;
    if (!client.isStream) this.#udpClients.delete(client.address, client.listener);
    for (const account of [owner.user, owner.source]) {
      account.allocations--;
      account.idleSinceMs = nowMs;
    }
  }

  /** Ends one family of an allocation that has both (RFC 8656 §8.2). */
  removeFamily(allocation: Allocation, family: AddressFamily): void {
    for (const relay of allocation.relays) {
      if (relay.family === family) this.#ports.close(relay);
    }
    allocation.relays = allocation.relays.filter((relay) => relay.family !== family);
  }

  /** Ends what has expired. Call about once a second. */
  sweep(nowMs: number): void {
    for (const allocation of this.#all) {
      if (allocation.expiresAtMs <= nowMs) this.remove(allocation, nowMs);
      else allocation.sweep(nowMs);
    }
  }

  removeAll(nowMs: number): void {
    for (const allocation of this.#all) this.remove(allocation, nowMs);
  }
}
