/** A WebSocket written by hand, for frames that no client would write, several of them in one TCP segment. */
import { createHash } from "node:crypto";
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

/** A server whose first word to everybody who comes is this frame, of less than 126 bytes. */
export async function serveFirstFrame(identity: { key: string; cert: string }, text: string): Promise<tls.Server> {
  const server = tls.createServer({ ...identity, minVersion: "TLSv1.3" }, (socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (request: Buffer) => {
      const [, key = ""] = /sec-websocket-key: (.*)\r\n/i.exec(request.toString()) ?? [];
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const head = ["HTTP/1.1 101 Yes", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
      const payload = Buffer.from(text);
      const frame = Buffer.concat([Buffer.from([TEXT, payload.length]), payload]);
      socket.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), frame]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** RFC 6455, section 5.2, under a mask of zeros. */
function frameOf(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([TEXT, MASKED | payload.length, 0, 0, 0, 0]), payload]);
}
