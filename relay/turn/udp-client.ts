/** A client that comes over UDP. */
import type { Allocation, TurnClient } from "./allocation.ts";
import type { TransportAddress } from "./transport-address.ts";
import type { UdpSocket } from "./udp-transport.ts";

export class UdpClient implements TurnClient {
  readonly address: TransportAddress;
  readonly isStream = false;
  readonly listener: number;
  allocation: Allocation | null = null;
  readonly #socket: UdpSocket;

  constructor(address: TransportAddress, listener: number, socket: UdpSocket) {
    this.address = address;
    this.listener = listener;
    this.#socket = socket;
  }

  send(packet: Buffer, start: number, end: number): void {
    this.#socket.send(packet, start, end, this.address);
  }
}
