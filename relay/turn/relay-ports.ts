/** The relayed transport addresses of the server: opening them, and finding whose one is (RFC 8656 §7.2). */
import type { Allocation, Relay } from "./allocation.ts";
import type { AddressFamily, TransportAddress } from "./transport-address.ts";
import type { DatagramHandler, UdpTransport } from "./udp-transport.ts";

export interface RelayAddress {
  /** Where relay sockets are bound, on this machine. */
  readonly bind: TransportAddress;
  /** The same as peers see it: another address behind a one-to-one NAT. */
  readonly external: TransportAddress;
}

export interface RelayPortOptions {
  readonly ipv4: RelayAddress | null;
  readonly ipv6: RelayAddress | null;
  /** Inclusive. RFC 8656 §7.2 recommends the dynamic range, 49152 to 65535. */
  readonly minPort: number;
  readonly maxPort: number;
}

/** Guesses before the range counts as full: even at 90 % use, one allocation in 10^9 is refused wrongly. */
const MAX_GUESSES = 200;
/** Ports that something else holds, or sockets that the system refuses, are not tried for ever. */
const MAX_BINDS = 32;

export class RelayPorts {
  readonly #transport: UdpTransport;
  readonly #options: RelayPortOptions;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #owners = new Map<number, Allocation>();

  constructor(transport: UdpTransport, options: RelayPortOptions, random: (bytes: number) => Uint8Array) {
    this.#transport = transport;
    this.#options = options;
    this.#random = random;
  }

  supports(family: AddressFamily): boolean {
    return this.#addressOf(family) !== null;
  }

  /**
   * Opens a relayed address at a random port: a port that can be guessed helps whoever wants to talk to it unasked.
   * @param evenPort whether the port must be even (RFC 8656 §18.7)
   * @returns null if no port is free
   */
  open(family: AddressFamily, evenPort: boolean, owner: Allocation, handler: DatagramHandler): Relay | null {
    const address = this.#addressOf(family);
    if (address === null) return null;
    let binds = 0;
    for (let guess = 0; guess < MAX_GUESSES && binds < MAX_BINDS; guess++) {
      const port = this.#guess();
      if (this.#owners.has(ownerKey(family, port)) || (evenPort && port % 2 === 1)) continue;
      binds++;
      const bind = address.bind.clone();
      bind.port = port;
      const socket = this.#transport.open(bind, "relay", handler);
      if (socket === null) continue;
      const external = address.external.clone();
      external.port = port;
      this.#owners.set(ownerKey(family, port), owner);
      return { family, socket, external };
    }
    return null;
  }

  close(relay: Relay): void {
    this.#owners.delete(ownerKey(relay.family, relay.external.port));
    relay.socket.close();
  }

  /** The allocation that this address is relayed for, or null if it is not one of ours. */
  ownerOf(address: TransportAddress): Allocation | null {
    const own = this.#addressOf(address.family);
    if (own === null || !own.external.sameHost(address)) return null;
    return this.#owners.get(ownerKey(own.external.family, address.port)) ?? null;
  }

  #addressOf(family: AddressFamily): RelayAddress | null {
    return family === 4 ? this.#options.ipv4 : this.#options.ipv6;
  }

  #guess(): number {
    const { minPort, maxPort } = this.#options;
    const [high = 0, middle = 0, low = 0] = this.#random(3);
    return minPort + (((high << 16) | (middle << 8) | low) % (maxPort - minPort + 1));
  }
}

function ownerKey(family: AddressFamily, port: number): number {
  return (family << 16) | port;
}
