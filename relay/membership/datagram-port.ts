/** The UDP port that the gossip runs over: one of its own, or a share in another's (the first byte tells whose a packet is). */
import { createSocket, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { KithError } from "../../protocol/errors.ts";

export interface DatagramPort {
  readonly port: number;
  /** Sends to an IP address, or loses: like any datagram. */
  send(datagram: Uint8Array, address: string, port: number): void;
  onDatagram(listener: (datagram: Uint8Array) => void): void;
  close(): void;
}

/** @throws KithError `port-in-use`, `option-invalid` */
export async function openUdpPort(listen: string, port: number): Promise<DatagramPort> {
  const type = isIP(listen) === 6 ? "udp6" : "udp4";
  // Recipients are addresses, no names; dgram's own look-up would cost a thread each.
  const socket = createSocket({ type, lookup: (host, _options, done) => done(null, host, isIP(host)) });
  await bound(socket, listen, port);
  return new UdpPort(socket, type);
}

function bound(socket: Socket, listen: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(
        error.code === "EADDRINUSE"
          ? new KithError("port-in-use", { port }, { cause: error })
          : new KithError("option-invalid", { option: "--listen", why: `${listen} is no address of this machine` }),
      );
    });
    socket.bind(port, listen, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
}

class UdpPort implements DatagramPort {
  readonly #socket: Socket;
  readonly #family: 4 | 6;
  #isClosed = false;

  constructor(socket: Socket, type: "udp4" | "udp6") {
    this.#socket = socket;
    this.#family = type === "udp6" ? 6 : 4;
    // What a socket reports (an unreachable host, a full buffer) is a lost packet, no more.
    socket.on("error", () => undefined);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(datagram: Uint8Array, address: string, port: number): void {
    if (this.#isClosed) return;
    const reachable = this.#mapped(address);
    if (reachable) this.#socket.send(datagram, port, reachable, () => undefined);
  }

  onDatagram(listener: (datagram: Uint8Array) => void): void {
    this.#socket.on("message", listener);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  /** An IPv6 socket reaches IPv4 by mapped addresses (RFC 4291, section 2.5.5.2). */
  #mapped(address: string): string | null {
    const family = isIP(address);
    if (family === this.#family) return address;
    return family === 4 ? `::ffff:${address}` : null;
  }
}
