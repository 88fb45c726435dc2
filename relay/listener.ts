/** The one TCP port of a supernode; first-byte.ts says which protocols can share it. */
import net from "node:net";
import { KithError } from "../protocol/errors.ts";
import { type StreamProtocol, welcome } from "./first-byte.ts";

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
    welcome(socket, this.#protocols, this.#firstByteTimeoutMs);
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
