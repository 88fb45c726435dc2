/**
 * The one TCP port of a supernode. The first byte of a connection says which protocol it
 * speaks: a TLS record begins with 0x16 (RFC 8446, section 5.1), a STUN message with 0x00
 * or 0x01 and TURN channel data with 0x40 to 0x4f (RFC 8656, section 12).
 */
import type { Server as HttpsServer } from "node:https";
import net from "node:net";
import { KithError } from "../protocol/errors.ts";

/** One protocol on the shared port. */
export interface StreamProtocol {
  claims(firstByte: number): boolean;
  /** Takes the connection over; its first byte is still to be read. */
  take(socket: net.Socket): void;
}

const TLS_HANDSHAKE_RECORD = 0x16;

/** Connections that begin with a TLS handshake go to this server, which need not listen itself. */
export function tlsProtocol(server: HttpsServer): StreamProtocol {
  return {
    claims: (firstByte) => firstByte === TLS_HANDSHAKE_RECORD,
    take: (socket) => {
      server.emit("connection", socket);
    },
  };
}

export interface ListenerOptions {
  /** The address of the interface to listen on. */
  readonly listen: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A connection that says nothing for this long is closed. */
  readonly firstByteTimeoutMs: number;
}

export class Listener {
  readonly port: number;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #firstByteTimeoutMs: number;
  #protocols: readonly StreamProtocol[] = [];

  private constructor(server: net.Server, port: number, firstByteTimeoutMs: number) {
    this.#server = server;
    this.port = port;
    this.#firstByteTimeoutMs = firstByteTimeoutMs;
    server.on("connection", (socket) => this.#welcome(socket));
  }

  /** Refuses every connection until `serve` names the protocols. @throws KithError `port-in-use`, `option-invalid` */
  static async open({ listen, port, firstByteTimeoutMs }: ListenerOptions): Promise<Listener> {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(refusal(error, listen, port)));
      server.listen(port, listen, resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new KithError("internal");
    return new Listener(server, address.port, firstByteTimeoutMs);
  }

  serve(protocols: readonly StreamProtocol[]): void {
    this.#protocols = protocols;
  }

  /** Ends the connections that are still open too. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #welcome(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    const silence = setTimeout(() => socket.destroy(), this.#firstByteTimeoutMs);
    socket.once("close", () => clearTimeout(silence));
    // A reset is no concern of ours; whoever takes the connection over sees it close.
    socket.on("error", () => socket.destroy());
    socket.once("data", (chunk: Buffer) => {
      clearTimeout(silence);
      const protocol = this.#protocols.find((candidate) => candidate.claims(chunk[0] ?? -1));
      if (!protocol) {
        socket.destroy();
        return;
      }
      socket.pause();
      socket.unshift(chunk);
      protocol.take(socket);
    });
  }
}

function refusal(error: Error, listen: string, port: number): KithError {
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return new KithError("port-in-use", { port }, { cause: error });
  return new KithError(
    "option-invalid",
    { option: "--listen", why: `cannot listen on ${listen} (${code})` },
    { cause: error },
  );
}
