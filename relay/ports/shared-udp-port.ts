/** The gossip's share in the UDP port that the TURN server listens on: the first byte says whose a packet is. */
import { GOSSIP_FIRST_BYTE } from "../../protocol/gossip-packet.ts";
import type { DatagramPort } from "../membership/datagram-port.ts";
import { TransportAddress } from "../turn/transport-address.ts";
import type { TurnServer } from "../turn/turn-server.ts";
import type { PortNeighbour } from "../turn/turn-settings.ts";

/** Opened and closed by the TURN server. */
export class SharedUdpPort implements DatagramPort, PortNeighbour {
  readonly firstByte = GOSSIP_FIRST_BYTE;
  readonly port: number;
  #server: TurnServer | null = null;
  #listener: (datagram: Uint8Array) => void = () => undefined;

  constructor(port: number) {
    this.port = port;
  }

  sendThrough(server: TurnServer): void {
    this.#server = server;
  }

  receive(datagram: Uint8Array): void {
    this.#listener(datagram);
  }

  onDatagram(listener: (datagram: Uint8Array) => void): void {
    this.#listener = listener;
  }

  send(datagram: Uint8Array, address: string, port: number): void {
    const to = TransportAddress.parse(address, port);
    if (to) this.#server?.sendForNeighbour(datagram, to);
  }

  close(): void {
    this.#server = null;
    this.#listener = () => undefined;
  }
}
