/** The one TCP port of a supernode; first-byte.ts says which protocols can share it. */
import net from "node:net";
import { KithError } from "../../protocol/errors.ts";
import type { Door } from "./door.ts";
import { type StreamProtocol, type Unwelcome, welcome } from "./first-byte.ts";

export interface ListenerOptions {
  /** The address of the interface to listen on. */
  readonly listen: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A connection that says nothing for this long is closed. */
  readonly firstByteTimeoutMs: number;
}

/** Of the port since it was opened. TURN's streams leave it (turn/), which counts their packets. */
export interface PortTraffic {
  readonly open: number;
  readonly opened: number;
  /** With the overhead of TLS and WebSocket, without that of TCP and IP. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export class Listener {
  readonly port: number;
  /** Connections that came to nothing, by what was wrong with them. */
  readonly refused: Record<Unwelcome, number> = {
    silent: 0,
    "unknown-protocol": 0,
    "tls-failed": 0,
    "too-many": 0,
    busy: 0,
  };
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #firstByteTimeoutMs: number;
  #protocols: readonly StreamProtocol[] = [];
  #door: Door | null = null;
  #opened = 0;
  #closedReceived = 0;
  #closedSent = 0;

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

  /** @param door counts everybody who comes; the protocols take them off its hands */
  serve(protocols: readonly StreamProtocol[], door: Door): void {
    this.#protocols = protocols;
    this.#door = door;
  }

  /** Its bytes are counted when they are asked for: all connections have to be looked at. */
  traffic(): PortTraffic {
    const bytesReceived = () => this.#closedReceived + sumOf(this.#sockets, (socket) => socket.bytesRead);
    const bytesSent = () => this.#closedSent + sumOf(this.#sockets, (socket) => socket.bytesWritten);
    return {
      open: this.#sockets.size,
      opened: this.#opened,
      get bytesReceived() {
        return bytesReceived();
      },
      get bytesSent() {
        return bytesSent();
      },
    };
  }

  /** For who tells that a connection has come to nothing. */
  readonly countRefused = (why: Unwelcome): void => {
    this.refused[why]++;
  };

  /** Ends the connections that are still open too. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #welcome(socket: net.Socket): void {
    const door = this.#door;
    this.#opened++;
    if (!door?.arrive(socket)) {
      if (door) this.refused["too-many"]++;
      socket.on("error", () => undefined).destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on("close", () => {
      door.leave(socket);
      this.#sockets.delete(socket);
      this.#closedReceived += socket.bytesRead;
      this.#closedSent += socket.bytesWritten;
    });
    socket.setNoDelay(true);
    welcome(socket, this.#protocols, this.#firstByteTimeoutMs, this.countRefused);
  }
}

function sumOf(sockets: Iterable<net.Socket>, bytesOf: (socket: net.Socket) => number): number {
  let sum = 0;
  for (const socket of sockets) sum += bytesOf(socket);
  return sum;
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
