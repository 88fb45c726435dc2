/** A WebSocket written by hand, for frames that no client would write, several of them in one TCP segment. */
import { once } from "node:events";
import tls from "node:tls";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { SUPERNODE_SOCKET_PATH } from "../../protocol/supernode-api.ts";
import { until } from "./until.ts";

const TEXT = 0x81;
const MASKED = 0x80;
const CLOSE = "\x88\0";

export interface RawWebSocket {
  /** Text frames of less than 126 bytes, together. */
  write(...frames: readonly string[]): void;
  /** Whether the last that has come is a frame that closes the WebSocket and gives no reason. */
  isToldToClose(): boolean;
  destroy(): void;
}

/** Engine.io's handshake is over when this resolves; socket.io's is the caller's to begin. */
export async function openRawWebSocket({ host, port }: SupernodeCertificate): Promise<RawWebSocket> {
  const socket = tls.connect({ host, port, rejectUnauthorized: false });
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  socket.write(
    [
      `GET ${SUPERNODE_SOCKET_PATH}/?EIO=4&transport=websocket HTTP/1.1`,
      `Host: ${host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      "Sec-WebSocket-Version: 13",
      "\r\n",
    ].join("\r\n"),
  );
  await until(() => received.includes("pingInterval"));
  return {
    write: (...frames) => void socket.write(Buffer.concat(frames.map(frameOf))),
    isToldToClose: () => received.endsWith(CLOSE),
    destroy: () => void socket.destroy(),
  };
}

/** RFC 6455, section 5.2, under a mask of zeros. */
function frameOf(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([TEXT, MASKED | payload.length, 0, 0, 0, 0]), payload]);
}
