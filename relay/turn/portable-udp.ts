/** UDP by node:dgram: one system call a packet, on every platform. */
import { createSocket, type Socket } from "node:dgram";
import { TransportAddress } from "./transport-address.ts";
import {
  type DatagramHandler,
  MAX_DATAGRAM_BYTES,
  type UdpLosses,
  type UdpPurpose,
  type UdpSocket,
  type UdpTransport,
} from "./udp-transport.ts";

/** What the kernel may hold for everyone's traffic while the event loop is busy elsewhere. */
export const LISTEN_BUFFER_BYTES = 4 * 1024 * 1024;

/** Packets of one socket that wait in the process, and how often they are counted, which is not for nothing. */
const MAX_QUEUED_SENDS = 64;
const SENDS_PER_COUNT = 16;

/**
 * Given as a synchronous function, the look-up that dgram makes for every packet costs nothing, and bind() binds
 * before it returns.
 */
type Lookup = (
  host: string,
  options: unknown,
  callback: (error: Error | null, address: string, family: number) => void,
) => void;
const lookupIPv4: Lookup = (host, _options, callback) => callback(null, host, 4);
const lookupIPv6: Lookup = (host, _options, callback) => callback(null, host, 6);

export class PortableUdp implements UdpTransport {
  readonly kind = "portable";
  readonly canForbidFragments = false;
  readonly #losses: UdpLosses;
  readonly #sockets = new Set<PortableSocket>();

  constructor(losses: UdpLosses) {
    this.#losses = losses;
  }

  open(address: TransportAddress, purpose: UdpPurpose, handler: DatagramHandler): UdpSocket | null {
    const socket =
      address.family === 4
        ? createSocket({ type: "udp4", lookup: lookupIPv4 })
        : createSocket({ type: "udp6", ipv6Only: true, lookup: lookupIPv6 });
    let failed = false;
    socket.on("error", () => {
      failed = true;
    });
    try {
      socket.bind({ address: address.host, port: address.port, exclusive: true });
    } catch {
      failed = true;
    }
    const bound = failed ? null : boundAddress(socket);
    if (bound === null) {
      socket.close();
      return null;
    }
    if (purpose === "listen") setBuffers(socket);
    const portable = new PortableSocket(socket, bound, this.#losses, () => this.#sockets.delete(portable));
    this.#sockets.add(portable);
    receive(socket, handler, this.#losses);
    return portable;
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

class PortableSocket implements UdpSocket {
  readonly address: TransportAddress;
  readonly #socket: Socket;
  readonly #losses: UdpLosses;
  readonly #onClose: () => void;
  #isOpen = true;
  #sends = 0;
  #isCongested = false;

  constructor(socket: Socket, address: TransportAddress, losses: UdpLosses, onClose: () => void) {
    this.#socket = socket;
    this.address = address;
    this.#losses = losses;
    this.#onClose = onClose;
  }

  send(packet: Buffer, start: number, end: number, to: TransportAddress): void {
    if (!this.#isOpen) return;
    // With the kernel's buffer full, libuv keeps packets for later: a few, or memory would grow with the congestion.
    if (this.#sends++ % SENDS_PER_COUNT === 0) {
      this.#isCongested = this.#socket.getSendQueueCount() >= MAX_QUEUED_SENDS;
    }
    if (this.#isCongested) {
      this.#losses.sendFailed();
      return;
    }
    // Without a callback, which would cost a turn of the task queue for each packet, failures go unseen, as on the way.
    this.#socket.send(packet, start, end - start, to.port, to.host);
  }

  sendUnfragmented(): never {
    throw new Error("dgram cannot set the don't-fragment bit");
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onClose();
    this.#socket.close();
  }
}

function boundAddress(socket: Socket): TransportAddress | null {
  try {
    const { address, port } = socket.address();
    return TransportAddress.parse(address, port);
  } catch {
    return null;
  }
}

/** The kernel gives what its own limit allows, and says nothing if that is less. */
function setBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(LISTEN_BUFFER_BYTES);
    socket.setSendBufferSize(LISTEN_BUFFER_BYTES);
  } catch {
    // Some systems refuse a size above their limit instead of cutting it: the default then has to do.
  }
}

function receive(socket: Socket, handler: DatagramHandler, losses: UdpLosses): void {
  const from = new TransportAddress();
  socket.on("message", (packet, remote) => {
    if (packet.length > MAX_DATAGRAM_BYTES) losses.oversize();
    else if (from.setHost(remote.address, remote.port)) handler(packet, 0, packet.length, from);
  });
}
