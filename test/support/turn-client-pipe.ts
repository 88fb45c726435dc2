/** How a test's TURN client reaches the server: UDP, or a stream cut into messages. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where the server is. */
export interface PipeOptions {
  readonly server: { readonly host: string; readonly port: number };
  readonly transport?: "udp" | "tcp" | "tls";
}

/** A socket, or one end of a stream, that carries whole messages. */
export interface Pipe {
  readonly localPort: number;
  readonly closed: Promise<void>;
  onMessage: (bytes: Buffer) => void;
  send(bytes: Buffer): void;
  pause(): void;
  close(): Promise<void>;
}

export async function openUdp({ server }: PipeOptions): Promise<Pipe> {
  const socket: UdpSocket = createSocket(server.host.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve) => socket.bind(0, server.host.includes(":") ? "::1" : "127.0.0.1", resolve));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const pipe: Pipe = {
    localPort: socket.address().port,
    closed,
    onMessage: () => {},
    send: (bytes) => socket.send(bytes, server.port, server.host),
    pause: () => socket.removeAllListeners("message"),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
  socket.on("message", (bytes) => pipe.onMessage(bytes));
  return pipe;
}

export async function openStream({ server, transport }: PipeOptions): Promise<Pipe> {
  const socket: Socket =
    transport === "tls"
      ? connectTls({ host: server.host, port: server.port, rejectUnauthorized: false })
      : connectTcp({ host: server.host, port: server.port });
  await new Promise<void>((resolve, reject) => {
    socket.once(transport === "tls" ? "secureConnect" : "connect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  socket.setNoDelay(true);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let rest: Buffer = Buffer.alloc(0);
  const pipe: Pipe = {
    localPort: socket.localPort ?? 0,
    closed,
    onMessage: () => {},
    send: (bytes) => void socket.write(bytes),
    pause: () => void socket.pause(),
    async close() {
      socket.destroy();
      await closed;
    },
  };
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const isChannelData = rest.readUInt8(0) >> 6 === 1;
      const length = isChannelData ? 4 + ((rest.readUInt16BE(2) + 3) & ~3) : 20 + rest.readUInt16BE(2);
      if (rest.length < length) return;
      const message = Buffer.from(rest.subarray(0, length));
      rest = rest.subarray(length);
      pipe.onMessage(message);
    }
  });
  return pipe;
}
