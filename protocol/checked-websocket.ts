/**
 * socket.io-client's WebSocket, held to what a server may begin with. Engine.io-client takes the server's
 * first packet as it comes, and one that does not fit throws where nobody can catch it: whoever connects to a server
 * that lies would end with it. For Node processes only.
 */
import { NodeWebSocket } from "socket.io-client";
import { z } from "zod";

/** Engine.io's packet that opens a connection (protocol 4): this digit, then JSON. */
const OPEN = "0";
/** Within what a timer takes, two of them together. */
const MAX_PING_MS = 2 ** 30;
const pingMs = z.number().int().positive().max(MAX_PING_MS);
const Handshake = z.object({
  sid: z.string().max(64),
  upgrades: z.array(z.string()).max(8),
  pingInterval: pingMs,
  pingTimeout: pingMs,
  maxPayload: z.number().int().positive(),
});

export class CheckedWebSocket extends NodeWebSocket {
  #hasBegun = false;

  protected override onData(data: unknown): void {
    if (typeof data === "string" && data.startsWith(OPEN)) {
      if (this.#hasBegun || !isHandshake(data.slice(OPEN.length))) {
        this.onError("malformed handshake", undefined);
        return;
      }
      this.#hasBegun = true;
    }
    super.onData(data);
  }
}

function isHandshake(json: string): boolean {
  try {
    return Handshake.safeParse(JSON.parse(json)).success;
  } catch {
    return false;
  }
}
