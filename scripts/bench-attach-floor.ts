/**
 * What nothing but TLS costs in Node: as many idle connections as `bench -- attach` has nodes, to a
 * server that does nothing with them. No supernode on Node's TLS can need less.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import tls from "node:tls";
import { generate } from "selfsigned";
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

const FloorOrder = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("serve") }),
  z.object({ kind: z.literal("connect"), port: z.number(), count: z.number() }),
]);
type FloorOrder = z.infer<typeof FloorOrder>;
const Ready = z.object({ port: z.number() });

/** @returns megabytes of the whole server process with so many connections */
export async function benchBareTls(connections: number): Promise<number> {
  const server = await startFloorProcess("bare TLS server");
  const clients = await startFloorProcess("bare TLS clients");
  try {
    const { port } = Ready.parse(await ordered(server, { kind: "serve" }));
    await ordered(clients, { kind: "connect", port, count: connections });
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
    process.send?.({ port: order.kind === "serve" ? await serve() : await connectAll(order.port, order.count) });
  });
}

async function serve(): Promise<number> {
  const identity = await generate([{ name: "commonName", value: "bare" }], { keyType: "ec", curve: "P-256" });
  const server = tls.createServer({ key: identity.private, cert: identity.cert, minVersion: "TLSv1.3" }, (socket) => {
    socket.on("data", (word) => socket.write(word)).on("error", () => socket.destroy());
  });
  server.listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Failure("No port to listen on.");
  return address.port;
}

async function connectAll(port: number, count: number): Promise<number> {
  const secureContext = tls.createSecureContext({ minVersion: "TLSv1.3" });
  let begun = 0;
  const connectSome = async () => {
    while (begun++ < count) {
      const socket = tls.connect({ port, host: HOST, secureContext, rejectUnauthorized: false });
      await once(socket, "secureConnect");
      socket.write(WORD);
      await once(socket, "data");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, connectSome));
  return port;
}
