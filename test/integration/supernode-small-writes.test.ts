import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { generate } from "selfsigned";
import { afterEach, describe, expect, test } from "vitest";
import { writeInSmallPieces } from "../../relay/ports/small-writes.ts";

/** What Node keeps for a socket's encrypted bytes until more is written at once. */
const FIRST_BUFFER_BYTES = 1_024;
const RECORD_HEAD_BYTES = 5;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A TLS connection of which every record is counted that its server sends. */
async function connected() {
  const pem = await generate([{ name: "commonName", value: "test" }], { keyType: "ec", curve: "P-256" });
  const server = tls.createServer({ key: pem.private, cert: pem.cert, minVersion: "TLSv1.3" });
  const port = await listening(server);
  let wire = Buffer.alloc(0);
  const tap = net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    closing.push(
      () => near.destroy(),
      () => far.destroy(),
    );
    for (const end of [near, far]) end.on("error", () => undefined);
    near.pipe(far).pipe(near);
    near.once("close", () => far.destroy());
    far.on("data", (bytes) => {
      wire = Buffer.concat([wire, bytes]);
    });
  });
  const accepted = once(server, "secureConnection");
  const client = tls.connect({ host: "127.0.0.1", port: await listening(tap), rejectUnauthorized: false });
  closing.push(() => client.destroy());
  const [socket]: tls.TLSSocket[] = await accepted;
  if (!socket) throw new Error("no connection");
  const records = () => {
    const lengths: number[] = [];
    for (let at = 0; at + RECORD_HEAD_BYTES <= wire.length; at += lengths.at(-1) ?? 0) {
      lengths.push(RECORD_HEAD_BYTES + wire.readUInt16BE(at + 3));
    }
    return lengths;
  };
  return { socket, client, records };
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  closing.push(() => server.close());
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function received(client: tls.TLSSocket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let missing = length;
  while (missing > 0) {
    const [chunk]: Buffer[] = await once(client, "data");
    if (!chunk) throw new Error("no bytes");
    chunks.push(chunk);
    missing -= chunk.length;
  }
  return Buffer.concat(chunks);
}

describe("a TLS socket that writes in small pieces", () => {
  test("never needs more than the buffer that it begins with, however much is written", async () => {
    const { socket, client, records } = await connected();
    writeInSmallPieces(socket);
    const sent = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
    const arrived = received(client, sent.length);
    socket.write(sent);
    expect((await arrived).equals(sent)).toBe(true);
    expect(Math.max(...records())).toBeLessThanOrEqual(FIRST_BUFFER_BYTES);
  });

  test("keeps the order of bytes and texts that were written together, and tells each writer", async () => {
    const { socket, client } = await connected();
    writeInSmallPieces(socket);
    const parts = [Buffer.from([1, 2]), "grüß dich".repeat(300), Buffer.alloc(3_000, 7), "", "end"];
    const whole = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const arrived = received(client, whole.length);
    const told: number[] = [];
    socket.cork();
    for (const [index, part] of parts.entries()) socket.write(part, () => told.push(index));
    socket.uncork();
    expect((await arrived).equals(whole)).toBe(true);
    await expect.poll(() => told, { timeout: 10_000 }).toEqual([0, 1, 2, 3, 4]);
  });

  test("tells the writer when the other side has gone in the middle", async () => {
    const { socket, client } = await connected();
    socket.on("error", () => undefined);
    writeInSmallPieces(socket);
    client.once("data", () => client.destroy());
    const outcome = await new Promise((resolve) => socket.write(Buffer.alloc(20_000_000), resolve));
    expect(outcome).toBeInstanceOf(Error);
  });
});
