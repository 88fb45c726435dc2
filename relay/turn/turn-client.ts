/** A client as the server sees it: one 5-tuple (RFC 8656 §2), over UDP, TCP or TLS. */
import type { Allocation } from "./allocation.ts";
import type { TransportAddress } from "./transport-address.ts";
import type { UdpSocket } from "./udp-transport.ts";

export interface TurnClient {
  readonly address: TransportAddress;
  /** Whether messages travel in a stream, where ChannelData is padded (RFC 8656 §12.5) and nothing is retransmitted. */
  readonly isStream: boolean;
  /** Of the clients with this address, which: two listening sockets may see the same one. */
  readonly listener: number;
  allocation: Allocation | null;
  /** Sends one message, `packet[start, end)`; for who may change its bytes afterwards, see UdpSocket.send. */
  send(packet: Buffer, start: number, end: number): void;
}

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
