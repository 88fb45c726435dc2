/** Connections by Node's own streams: every platform, and TLS. */
import type { Socket } from "node:net";
import type { StreamHandler, StreamPipe, StreamTransport } from "./stream-transport.ts";

export class PortableStreams implements StreamTransport {
  readonly #sockets = new Set<Socket>();

  adopt(socket: Socket, handler: StreamHandler): StreamPipe {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => handler.data(chunk, 0, chunk.length));
    // What kind of error it is does not matter: "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      handler.closed();
    });
    return {
      get backlogBytes() {
        return socket.writableLength;
      },
      write(packet, start, end) {
        if (!socket.destroyed) socket.write(Uint8Array.prototype.slice.call(packet, start, end));
      },
      close: () => void socket.destroy(),
    };
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
