/** The servers that `npm run bench -- relay` compares, each on one core of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as passing } from "node:timers/promises";
import { issueTurnCredential } from "../relay/turn/turn-credential.ts";
import { Failure } from "./failure.ts";
import { freePort } from "./free-port.ts";
import { SUBJECT_LOGIN, SUBJECT_SECRET, type SubjectReady } from "./turn-subject.ts";

export type SubjectName = "batched" | "portable" | "coturn" | "node-turn";

export interface Subject {
  readonly name: SubjectName;
  readonly pid: number;
  readonly udpPort: number;
  readonly tcpPort: number | null;
  readonly login: { readonly username: string; readonly password: string };
  end(): Promise<void>;
}

const SERVER_CORE = "0";
const START_MS = 10_000;
const COTURN_START_MS = 1_000;

export function startSubject(name: SubjectName): Promise<Subject> {
  return name === "coturn" ? startCoturn() : startNode(name);
}

/** The bundle that this code is part of, run again under another name. */
export function benchProcess(core: string, args: readonly string[], stdio: "ipc" | "pipe"): ChildProcess {
  const script = process.argv[1];
  if (script === undefined) throw new Failure("No script to run.");
  return spawn("taskset", ["-c", core, process.execPath, script, ...args], {
    stdio: stdio === "ipc" ? ["ignore", "ignore", "inherit", "ipc"] : ["ignore", "pipe", "inherit"],
  });
}

async function startNode(name: Exclude<SubjectName, "coturn">): Promise<Subject> {
  const child = benchProcess(SERVER_CORE, ["turn-subject", name], "ipc");
  const ready = await new Promise<SubjectReady>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Failure(`${name} does not start.`)), START_MS);
    child.once("message", (message) => {
      clearTimeout(timer);
      resolve(message as SubjectReady);
    });
    child.once("exit", () => reject(new Failure(`${name} ended before it was ready.`)));
  });
  const login =
    name === "node-turn" ? SUBJECT_LOGIN : issueTurnCredential(SUBJECT_SECRET, SUBJECT_LOGIN.username, Date.now());
  return { name, pid: child.pid ?? 0, ...ready, login, end: () => end(child) };
}

/** As Debian packages it, with one relay thread, and without what it does for administrators. */
async function startCoturn(): Promise<Subject> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "kith-coturn-"));
  const options = [
    ["-n", "--no-cli", "--no-tls", "--no-dtls", "--relay-threads=1", "--allow-loopback-peers", "--fingerprint"],
    ["-L", "127.0.0.1", "-E", "127.0.0.1", "-p", String(port), "--min-port=10000", "--max-port=32000"],
    ["--use-auth-secret", `--static-auth-secret=${SUBJECT_SECRET}`, "--realm=bench.kith"],
    ["--log-file", join(folder, "log"), "--simple-log", "--pidfile", join(folder, "pid")],
  ].flat();
  const child = spawn("taskset", ["-c", SERVER_CORE, "turnserver", ...options], { stdio: "ignore" });
  await passing(COTURN_START_MS);
  if (child.exitCode !== null) throw new Failure("coturn does not start. Is Debian's package coturn installed?");
  const login = issueTurnCredential(SUBJECT_SECRET, SUBJECT_LOGIN.username, Date.now());
  return {
    name: "coturn",
    pid: child.pid ?? 0,
    udpPort: port,
    tcpPort: port,
    login,
    async end() {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** coturn's echoing peer. */
export async function startToolPeer(core: string): Promise<{ readonly port: number; end(): Promise<void> }> {
  const port = await freePort();
  const args = ["-c", core, "turnutils_peer", "-L", "127.0.0.1", "-p", String(port)];
  const child = spawn("taskset", args, { stdio: "ignore" });
  await passing(COTURN_START_MS);
  return { port, end: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
