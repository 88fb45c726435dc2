/** How a device connects to its session at the login server. For Node processes only (client core, tests). */

import type { Agent } from "node:https";
import { CheckedWebSocket } from "./checked-websocket.ts";
import { LIMITS, TIMES } from "./limits.ts";
import { LOGIN_SOCKET_PATH } from "./login-api.ts";
import * as wireParser from "./wire-parser.ts";

/**
 * socket.io-client options for `io(url, options)`: WebSocket only, one connection per call,
 * one frame per packet. Reconnecting is the caller's (backoff.ts).
 * @param agent makes the connection, where it does not go straight there
 */
export function loginSocketOptions(agent?: Agent) {
  return {
    // socket.io-client types the browser's agent (a string or boolean) into the same option and passes this one on.
    ...(agent !== undefined && { agent: agent as unknown as string }),
    path: LOGIN_SOCKET_PATH,
    transports: [CheckedWebSocket],
    parser: wireParser,
    maxPayload: LIMITS.maxFrameBytes,
    timeout: TIMES.requestTimeoutMs,
    reconnection: false,
    forceNew: true,
  };
}
