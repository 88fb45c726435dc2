/** The socket.io server of a supernode: one endpoint for ordinary nodes and for other supernodes. */
import { createServer } from "node:http";
import { Server, type Socket } from "socket.io";
import { LIMITS, PROTOCOL_VERSION } from "../protocol/limits.ts";
import { SUPERNODE_SOCKET_PATH } from "../protocol/supernode-api.ts";
import * as wireParser from "../protocol/wire-parser.ts";
import { Connection, type ConnectionPhase, type Endpoints } from "./connection.ts";
import { httpProtocol, type StreamProtocol } from "./first-byte.ts";
import type { Member } from "./membership-source.ts";
import type { RelayLimits } from "./relay-limits.ts";
import type { RelayTimes } from "./relay-times.ts";
import type { RequestTally } from "./request-tally.ts";

export interface SocketServerParts {
  readonly self: () => Member;
  /** What leads to the network's newest key; empty while that is the first one. */
  readonly successions: () => Uint8Array;
  readonly endpoints: Endpoints;
  readonly limits: RelayLimits;
  readonly times: Pick<RelayTimes, "attachTimeoutMs" | "pingIntervalMs" | "pingTimeoutMs">;
  readonly now: () => number;
  readonly tally: RequestTally;
  /** The socket has closed; what it was until then. */
  closed(phase: ConnectionPhase): void;
}

export class SocketServer {
  /** Inside TLS: connections are handed to it. */
  readonly protocol: StreamProtocol;
  readonly #parts: SocketServerParts;
  readonly #io: Server;
  readonly #connections = new Set<Connection>();
  /** Until when a connection must have become a WebSocket. */
  readonly #deadlines = new WeakMap<object, NodeJS.Timeout>();

  constructor(parts: SocketServerParts) {
    const { times } = parts;
    this.#parts = parts;
    const http = createServer((_request, response) => response.writeHead(404).end());
    this.protocol = httpProtocol(http);
    http.on("connection", (socket) => {
      const deadline = setTimeout(() => socket.destroy(), times.attachTimeoutMs);
      socket.once("close", () => clearTimeout(deadline));
      this.#deadlines.set(socket, deadline);
    });
    http.on("upgrade", (_request, socket) => clearTimeout(this.#deadlines.get(socket)));
    this.#io = new Server(http, {
      path: SUPERNODE_SOCKET_PATH,
      transports: ["websocket"],
      parser: wireParser,
      serveClient: false,
      allowUpgrades: false,
      perMessageDeflate: false,
      httpCompression: false,
      maxHttpBufferSize: LIMITS.maxFrameBytes,
      pingInterval: times.pingIntervalMs,
      pingTimeout: times.pingTimeoutMs,
      connectTimeout: times.attachTimeoutMs,
    });
    this.#io.on("connection", (socket) => this.#welcome(socket));
  }

  /** How many sockets there are of each kind. */
  census(): Record<ConnectionPhase["kind"], number> {
    const count = { opening: 0, node: 0, link: 0 };
    for (const { phase } of this.#connections) count[phase.kind]++;
    return count;
  }

  /** Closes the links that other supernodes have opened, of those that satisfy the condition. */
  closeLinks(isToGo: (supernodeId: string) => boolean): void {
    for (const { phase, socket } of this.#connections) {
      if (phase.kind === "link" && isToGo(phase.peer.supernodeId)) socket.disconnect(true);
    }
  }

  async close(): Promise<void> {
    this.#io.disconnectSockets(true);
    await this.#io.close();
  }

  #welcome(socket: Socket): void {
    const { self, successions, endpoints, limits, times, now, tally, closed } = this.#parts;
    const networkKeys = successions();
    const connection = new Connection(socket, endpoints, limits, now, tally);
    this.#connections.add(connection);
    const tooLate = setTimeout(() => {
      if (connection.phase.kind === "opening") socket.disconnect(true);
    }, times.attachTimeoutMs);
    socket.on("disconnect", () => {
      clearTimeout(tooLate);
      this.#connections.delete(connection);
      closed(connection.phase);
    });
    socket.emit("challenge", {
      protocolVersion: PROTOCOL_VERSION,
      nonce: connection.challengeNonce,
      certificate: self().bytes,
      // Who knows of no other keys would not understand it.
      ...(networkKeys.length > 0 && { networkKeys }),
    });
  }
}
