/** The socket.io server of a supernode: one endpoint for ordinary nodes and for other supernodes. */
import type { EventEmitter } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { Server, type Socket } from "socket.io";
import { LIMITS, PROTOCOL_VERSION } from "../../protocol/limits.ts";
import { SUPERNODE_SOCKET_PATH } from "../../protocol/supernode-api.ts";
import { Decoder, Encoder } from "../../protocol/wire-parser.ts";
import type { Member } from "../membership/membership-source.ts";
import { httpProtocol, type StreamProtocol } from "../ports/first-byte.ts";
import type { RelayLimits } from "../relay-limits.ts";
import type { RelayTimes } from "../relay-times.ts";
import { Connection, type ConnectionPhase, type Endpoints, type LinkPhase } from "./connection.ts";
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
  /** Frames that no packet can be made of. Each has closed its connection. */
  readonly framesRefused = { malformed: 0, "too-large": 0 };
  readonly #parts: SocketServerParts;
  readonly #io: Server;
  readonly #connections = new Set<Connection>();
  /** Whoever has not become a WebSocket in time is closed; this stops the time. */
  readonly #deadlines = new WeakMap<object, () => void>();

  constructor(parts: SocketServerParts) {
    const { times } = parts;
    this.#parts = parts;
    const http = createServer((_request, response) => response.writeHead(404).end());
    this.protocol = httpProtocol(http);
    http.on("connection", (socket) => this.#expectUpgrade(socket));
    this.#io = new Server(http, {
      path: SUPERNODE_SOCKET_PATH,
      transports: ["websocket"],
      parser: { Encoder, Decoder: decoderThatTells(() => this.framesRefused.malformed++) },
      serveClient: false,
      allowUpgrades: false,
      perMessageDeflate: false,
      httpCompression: false,
      maxHttpBufferSize: LIMITS.maxFrameBytes,
      pingInterval: times.pingIntervalMs,
      pingTimeout: times.pingTimeoutMs,
      connectTimeout: times.attachTimeoutMs,
    });
    this.#watchUpgrades(http);
    const failed = (fault: unknown) => this.#webSocketFailed(fault);
    // Engine.io passes on what failed as a sentence, and not the code.
    this.#io.engine.on("connection", ({ transport }: { readonly transport: { readonly socket: EventEmitter } }) =>
      transport.socket.on("error", failed),
    );
    this.#io.on("connection", (socket) => this.#welcome(socket));
  }

  /** How many sockets there are of each kind. */
  census(): Record<ConnectionPhase["kind"], number> {
    const count = { opening: 0, node: 0, link: 0 };
    for (const { phase } of this.#connections) count[phase.kind]++;
    return count;
  }

  /** Closes the links that other supernodes have opened, of those that satisfy the condition. */
  closeLinks(isToGo: (link: LinkPhase) => boolean): void {
    for (const { phase, socket } of this.#connections) {
      if (phase.kind === "link" && isToGo(phase)) socket.disconnect(true);
    }
  }

  async close(): Promise<void> {
    this.#io.disconnectSockets(true);
    await this.#io.close();
  }

  #expectUpgrade(socket: NetSocket): void {
    const deadline = setTimeout(() => socket.destroy(), this.#parts.times.attachTimeoutMs);
    const stop = () => clearTimeout(deadline);
    socket.once("close", stop);
    this.#deadlines.set(socket, stop);
  }

  /**
   * Of an upgrade nothing shall be left: engine.io makes a response of it, for middlewares that we do not have,
   * and a listener on the socket keeps that and the request with all its headers for as long as it is open.
   */
  #watchUpgrades(http: HttpServer): void {
    let before = 0;
    http.prependListener("upgrade", (_request, socket) => {
      const stop = this.#deadlines.get(socket);
      stop?.();
      if (stop) socket.off("close", stop);
      this.#deadlines.delete(socket);
      before = socket.listenerCount("close");
    });
    http.on("upgrade", (_request, socket) => {
      // The WebSocket listens for good; what would listen once is the response's.
      for (const added of socket.rawListeners("close").slice(before)) {
        if ("listener" in added && isListener(added)) socket.off("close", added);
      }
    });
  }

  /** What came breaks RFC 6455, or is larger than we take; a connection that broke is no fault of that kind. */
  #webSocketFailed(fault: unknown): void {
    const code = fault instanceof Error && "code" in fault ? String(fault.code) : "";
    if (code === FRAME_TOO_LARGE) this.framesRefused["too-large"]++;
    else if (code.startsWith(WEBSOCKET_FAULT)) this.framesRefused.malformed++;
  }

  #welcome(socket: Socket): void {
    const { self, successions, endpoints, limits, times, now, tally, closed } = this.#parts;
    const networkKeys = successions();
    const connection = new Connection(socket, endpoints, limits, now, tally);
    this.#connections.add(connection);
    // Nobody is spoken to by room.
    void socket.leave(socket.id);
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

/** As the WebSocket library names what was wrong with what it received. */
const WEBSOCKET_FAULT = "WS_ERR_";
const FRAME_TOO_LARGE = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

function decoderThatTells(refused: () => void): typeof Decoder {
  return class extends Decoder {
    override add(frame: unknown): void {
      try {
        super.add(frame);
      } catch (error) {
        refused();
        throw error;
      }
    }
  };
}

function isListener(value: unknown): value is () => void {
  return typeof value === "function";
}
