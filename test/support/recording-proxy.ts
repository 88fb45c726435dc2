/** A TCP proxy that keeps every byte of both directions, with the masks of WebSocket frames taken off. */

import type { AddressInfo } from "node:net";
import { connect as connectTo, createServer, type Socket } from "node:net";

export interface RecordingProxy {
  readonly url: string;
  /** What clients sent, one buffer for each connection. */
  sent(): Buffer[];
  /** What the server sent, one buffer for each connection. */
  received(): Buffer[];
  close(): Promise<void>;
}

const HEAD_END = "\r\n\r\n";

/** @param port of the server on loopback that everything is passed on to. */
export async function recordingProxy(port: number): Promise<RecordingProxy> {
  const recorded: { up: Buffer[]; down: Buffer[] }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connectTo(port, "127.0.0.1");
    const record = { up: [] as Buffer[], down: [] as Buffer[] };
    recorded.push(record);
    client.on("data", (chunk: Buffer) => record.up.push(chunk));
    target.on("data", (chunk: Buffer) => record.down.push(chunk));
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    client.pipe(target).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => recorded.map(({ up }) => withoutMasks(Buffer.concat(up))),
    received: () => recorded.map(({ down }) => Buffer.concat(down)),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client masks each frame with four bytes of its own (RFC 6455 section 5.3), behind which nothing could be found. */
function withoutMasks(stream: Buffer): Buffer {
  const headEnd = stream.indexOf(HEAD_END) + HEAD_END.length;
  const head = stream.subarray(0, headEnd).toString("latin1");
  if (!/^upgrade: websocket/im.test(head)) return stream;
  const plain = [stream.subarray(0, headEnd)];
  let offset = headEnd;
  while (offset + 2 <= stream.length) {
    const length7 = stream.readUInt8(offset + 1) & 0x7f;
    const lengthBytes = length7 === 126 ? 2 : length7 === 127 ? 8 : 0;
    // Of eight bytes the last four are enough for anything that fits a frame of ours.
    const length =
      lengthBytes === 0
        ? length7
        : stream.readUIntBE(offset + 2 + lengthBytes - Math.min(lengthBytes, 4), Math.min(lengthBytes, 4));
    const maskAt = offset + 2 + lengthBytes;
    const mask = stream.subarray(maskAt, maskAt + 4);
    const payload = Buffer.from(stream.subarray(maskAt + 4, maskAt + 4 + length));
    for (let index = 0; index < payload.length; index++) {
      payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
    }
    plain.push(payload);
    offset = maskAt + 4 + length;
  }
  return Buffer.concat(plain);
}
