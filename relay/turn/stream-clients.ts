/** All TCP and TLS connections of the server, and how many there may be. */
import type { Socket } from "node:net";
import { StreamClient, type StreamClientEvents } from "./stream-client.ts";
import type { StreamHandler, StreamTransport } from "./stream-transport.ts";
import { TransportAddress } from "./transport-address.ts";
import type { StreamLimits } from "./turn-settings.ts";

export class StreamClients {
  readonly #transport: StreamTransport;
  readonly #limits: StreamLimits;
  readonly #events: StreamClientEvents;
  readonly #all = new Set<StreamClient>();
  readonly #perSource = new Map<string, number>();

  constructor(transport: StreamTransport, limits: StreamLimits, events: StreamClientEvents) {
    this.#transport = transport;
    this.#limits = limits;
    this.#events = {
      ...events,
      closed: (client) => {
        this.#forget(client);
        events.closed(client);
      },
    };
  }

  get size(): number {
    return this.#all.size;
  }

  /** Takes over a connection. Bytes that its owner has read already must have been put back with unshift(). */
  accept(socket: Socket): void {
    const address = TransportAddress.parse(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    const fromThere = address === null ? 0 : (this.#perSource.get(address.host) ?? 0);
    if (
      address === null ||
      this.#all.size >= this.#limits.connections ||
      fromThere >= this.#limits.connectionsPerSource
    ) {
      this.#events.refused("tcp-connections");
      socket.destroy();
      return;
    }
    this.#perSource.set(address.host, fromThere + 1);
    const open = (handler: StreamHandler) => this.#transport.adopt(socket, handler);
    this.#all.add(new StreamClient(address, this.#events, open));
  }

  sweep(nowMs: number): void {
    for (const client of this.#all) client.sweep(nowMs);
  }

  closeAll(): void {
    for (const client of this.#all) client.close();
  }

  #forget(client: StreamClient): void {
    if (!this.#all.delete(client)) return;
    const left = (this.#perSource.get(client.address.host) ?? 0) - 1;
    if (left > 0) this.#perSource.set(client.address.host, left);
    else this.#perSource.delete(client.address.host);
  }
}
