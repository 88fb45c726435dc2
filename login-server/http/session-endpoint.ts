/** The socket.io endpoint on the HTTP server. */
import type { Server as HttpServer } from "node:http";
import { Server } from "socket.io";
import { KithError } from "../../protocol/errors.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import { LOGIN_SOCKET_PATH } from "../../protocol/login-api.ts";
import * as wireParser from "../../protocol/wire-parser.ts";
import type { RedisNews } from "../instances/redis-news.ts";
import type { TrustedProxies } from "./client-address.ts";
import { addressAt, subscriberAt } from "./http-server.ts";
import { type SessionSocketParts, serveSession } from "./session-socket.ts";

/** Serves sessions on `http`; the answer's `close` ends them all. */
export function sessionEndpoint(
  http: HttpServer,
  parts: SessionSocketParts & {
    readonly proxies: TrustedProxies | null;
    readonly adapter: RedisNews["adapter"] | null;
  },
): Server {
  const endpoint = new Server(http, {
    path: LOGIN_SOCKET_PATH,
    transports: ["websocket"],
    parser: wireParser,
    serveClient: false,
    maxHttpBufferSize: LIMITS.maxFrameBytes,
    pingInterval: TIMES.pingIntervalMs,
    pingTimeout: TIMES.pingTimeoutMs,
    connectTimeout: parts.attachTimeoutMs,
    ...(parts.adapter && { adapter: parts.adapter }),
  });
  endpoint.use((socket, next) => {
    try {
      const { address, headers } = socket.handshake;
      parts.limits.session.take(subscriberAt(parts.proxies, address, headers["x-forwarded-for"]));
      parts.admission.begin();
      next();
    } catch (thrown) {
      const error = KithError.from(thrown);
      next(Object.assign(new Error(error.code), { data: error.toWire() }));
    }
  });
  endpoint.on("connection", (socket) => {
    const { address, headers } = socket.handshake;
    serveSession(socket, addressAt(parts.proxies, address, headers["x-forwarded-for"]) ?? "", parts);
  });
  return endpoint;
}
