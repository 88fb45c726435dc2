/**
 * What idle connections cost in Node before a supernode does anything with them: as many as
 * `bench -- attach` has nodes, to servers that do nothing; one speaks bare TLS, one socket.io over it.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpsServer } from "node:https";
import tls from "node:tls";
import { generate } from "selfsigned";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { z } from "zod";
import "../relay/heap-size.ts";
import { Failure } from "./failure.ts";
import { type OwnedProcess, own } from "./owned-process.ts";
import { residentBytesOf } from "./process-usage.ts";

const HOST = "127.0.0.1";
/** Handshakes at a time. */
const AT_ONCE = 64;
/** One exchange each, so that every buffer is there that a connection needs. */
const WORD = Buffer.alloc(200);

const Speech = z.enum(["tls", "socket.io"]);
/** What is spoken over the connections. */
type Speech = z.infer<typeof Speech>;
const FloorOrder = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("serve"), speech: Speech }),
  z.object({ kind: z.literal("connect"), speech: Speech, port: z.number(), count: z.number() }),
]);
type FloorOrder = z.infer<typeof FloorOrder>;
const Ready = z.object({ port: z.number() });

/** @returns megabytes of the whole server process with so many connections */
export async function benchFloor(speech: Speech, connections: number): Promise<number> {
  const server = await startFloorProcess(`bare ${speech} server`);
  const clients = await startFloorProcess(`bare ${speech} clients`);
  try {
    const { port } = Ready.parse(await ordered(server, { kind: "serve", speech }));
    await ordered(clients, { kind: "connect", speech, port, count: connections });
    return Math.round(residentBytesOf(server.child.pid ?? 0) / 1e6);
  } finally {
    await Promise.all([server.end(), clients.end()]);
  }
}

function startFloorProcess(name: string): Promise<OwnedProcess> {
  const script = process.argv[1];
  if (script === undefined) throw new Failure("No script to run.");
  return own(name, fork(script, ["attach-floor"], { execArgv: [] }));
}

async function ordered({ child }: OwnedProcess, order: FloorOrder): Promise<unknown> {
  child.send(order);
  const [answer] = await once(child, "message");
  return answer;
}

/** `bench -- attach-floor`: one of the two processes. */
export async function runAttachFloor(): Promise<void> {
  for (const end of ["disconnect", "SIGTERM"] as const) process.once(end, () => process.exit(0));
  process.on("message", async (message) => {
    const order = FloorOrder.parse(message);
    const port = order.kind === "serve" ? await serve(order.speech) : order.port;
    if (order.kind === "connect") await connectAll(order.count, CONNECT[order.speech](order.port));
    process.send?.({ port });
  });
}

async function serve(speech: Speech): Promise<number> {
  const { private: key, cert } = await generate([{ name: "commonName", value: "bare" }], {
    keyType: "ec",
    curve: "P-256",
  });
  const server = SERVE[speech]({ key, cert, minVersion: "TLSv1.3" });
  server.listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Failure("No port to listen on.");
  return address.port;
}

const SERVE: Readonly<Record<Speech, (options: tls.TlsOptions) => tls.Server>> = {
  tls: (options) =>
    tls.createServer(options, (socket) => {
      socket.on("data", (word) => socket.write(word)).on("error", () => socket.destroy());
    }),
  "socket.io": (options) => {
    const server = createHttpsServer(options);
    const sockets = new Server(server, { transports: ["websocket"], serveClient: false });
    sockets.on("connection", (socket) =>
      socket.on("word", (word: Buffer, answer: (word: Buffer) => void) => answer(word)),
    );
    return server;
  },
};

/** Resolves when the connection stands and one word has gone there and back. */
type Connect = () => Promise<void>;

const CONNECT: Readonly<Record<Speech, (port: number) => Connect>> = {
  tls: (port) => {
    const secureContext = tls.createSecureContext({ minVersion: "TLSv1.3" });
    return async () => {
      const socket = tls.connect({ port, host: HOST, secureContext, rejectUnauthorized: false });
      await once(socket, "secureConnect");
      socket.write(WORD);
      await once(socket, "data");
    };
  },
  "socket.io": (port) => async () => {
    const socket = io(`wss://${HOST}:${port}`, {
      transports: ["websocket"],
      forceNew: true,
      rejectUnauthorized: false,
    });
    await socket.emitWithAck("word", WORD);
  },
};

async function connectAll(count: number, connect: Connect): Promise<void> {
  let begun = 0;
  const connectSome = async () => {
    while (begun++ < count) await connect();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, connectSome));
}
