/** A whole network on loopback: a login server and some supernodes, each a process of its own. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import type { DataFolder } from "./data-folder.ts";
import { Failure } from "./failure.ts";
import { type OwnedProcess, startNode } from "./owned-process.ts";
import { root } from "./repository.ts";
import { lastLine } from "./run-command.ts";

const READY_MS = 30_000;
const HOST = "127.0.0.1";
/** Whoever tries the apps here may try that switch too. */
const MAX_DESKTOP_SUPERNODES = 10;

const LoginServerReady = z.object({ kind: z.literal("ready"), url: z.url(), port: z.number(), networkId: z.unknown() });
const SupernodeReady = z.object({
  kind: z.literal("ready"),
  supernodeId: z.unknown(),
  port: z.number(),
  statusUrl: z.url(),
});

export interface LocalSupernode {
  readonly process: OwnedProcess;
  readonly host: string;
  readonly port: number;
  /** Of its operator's page. */
  readonly statusUrl: string;
}

export interface LocalNetwork {
  readonly url: string;
  readonly loginServer: OwnedProcess;
  readonly supernodes: readonly LocalSupernode[];
  /** Resolves, with a sentence, when one of the servers ends before close() is called. */
  readonly broken: Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts the servers (already built) on free ports, the same as last time if they are free
 * still. What they print goes to a file each in the data folder.
 *
 * @throws Failure with the server's own last words when one does not come up
 */
export async function startLocalNetwork(data: DataFolder, supernodes: number): Promise<LocalNetwork> {
  const started: OwnedProcess[] = [];
  // The supernodes first: they sign off at the login server's network while it is there.
  const close = async () => {
    await Promise.all(started.slice(1).map((server) => server.end()));
    await started[0]?.end();
  };
  try {
    const { process: loginServer, url } = await startLoginServer(data, started);
    const numbers = Array.from({ length: supernodes }, (_, index) => index + 1);
    const nodes = await Promise.all(numbers.map((number) => startSupernode(data, number, url, started)));
    data.settings.supernodePorts = nodes.map((node) => node.port);
    await data.save();
    const ends = started.map(async (server) => `${server.name} ${await server.ended}.`);
    return { url, loginServer, supernodes: nodes, broken: Promise.race(ends), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startLoginServer(data: DataFolder, started: OwnedProcess[]) {
  const port = await freePort(data.settings.loginServerPort);
  const args = ["--data", data.in("login-server"), "--listen", HOST, "--port", String(port), "--name", "localhost"];
  args.push(
    "--desktop-supernodes",
    String(MAX_DESKTOP_SUPERNODES),
    "--registration",
    "open",
    `--enrolment-token=${data.settings.enrolmentToken}`,
  );
  const process = await startServer(data, "login-server", "The login server", args, started);
  const ready = LoginServerReady.parse(await readiness(process, data.in("login-server.log")));
  data.settings.loginServerPort = ready.port;
  return { process, url: ready.url };
}

async function startSupernode(
  data: DataFolder,
  number: number,
  loginServer: string,
  started: OwnedProcess[],
): Promise<LocalSupernode> {
  const name = `supernode-${number}`;
  const port = await freePort(data.settings.supernodePorts[number - 1] ?? 0);
  const args = ["--data", data.in(name), "--login-server", loginServer, "--listen", HOST, "--host", HOST];
  args.push(`--enrolment-token=${data.settings.enrolmentToken}`, "--port", String(port));
  // Everybody is on this machine, so that is where the peers are.
  args.push("--allow-peer", "127.0.0.0/8");
  const process = await startServer(data, name, `Supernode ${number}`, args, started, "relay");
  const ready = SupernodeReady.parse(await readiness(process, data.in(`${name}.log`)));
  return { process, host: HOST, port: ready.port, statusUrl: ready.statusUrl };
}

async function startServer(
  data: DataFolder,
  file: string,
  name: string,
  args: readonly string[],
  started: OwnedProcess[],
  bundle: string = file,
): Promise<OwnedProcess> {
  const script = join(root, "out", `${bundle}.mjs`);
  const server = await startNode(name, script, args, process.env, { file: data.in(`${file}.log`) });
  started.push(server);
  return server;
}

/** Waits for the server's `ready` message. */
async function readiness(server: OwnedProcess, logFile: string): Promise<unknown> {
  const timeLimit = new AbortController();
  const timer = setTimeout(() => timeLimit.abort(), READY_MS);
  try {
    const message = once(server.child, "message", { signal: timeLimit.signal }).then(([value]: unknown[]) => value);
    const early = server.ended.then((how) => ({ how }));
    const first = await Promise.race([message.catch(() => ({ how: `said nothing for ${READY_MS / 1_000} s` })), early]);
    if (typeof first !== "object" || first === null || !("how" in first)) return first;
    throw new Failure(`${server.name} ${first.how}: ${lastLine(await readFile(logFile, "utf8"))}`);
  } finally {
    clearTimeout(timer);
    timeLimit.abort();
  }
}

/** The preferred port if nobody has it, otherwise 0: any. */
async function freePort(preferred: number): Promise<number> {
  if (preferred === 0) return 0;
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(0));
    probe.listen(preferred, HOST, () => probe.close(() => resolve(preferred)));
  });
}
