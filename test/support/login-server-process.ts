/** The login server as its host runs it: a process of its own, from the bundle that is shipped. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { build } from "../../scripts/app-build.ts";
import { root } from "../../scripts/repository.ts";
import type { SmallDisk } from "./small-disk.ts";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LoginServerProcess {
  readonly child: ChildProcess;
  /** What it says once it listens; rejects with what it printed if it ends before. */
  readonly ready: Promise<{ url: string; port: number; networkId: string }>;
  readonly ended: Promise<Ended>;
}

const running = new Map<ChildProcess, Promise<unknown>>();

export async function buildLoginServer(): Promise<void> {
  await build(["login-server"]);
}

interface SpawnOptions {
  readonly env?: Record<string, string>;
  /** The most that any file may grow to, in 512 bytes. */
  readonly maxFileBlocks?: number;
  /** It alone sees this disk. */
  readonly disk?: SmallDisk;
}

export function spawnLoginServer(args: readonly string[], options: SpawnOptions = {}): LoginServerProcess {
  const plain = [process.execPath, join(root, "out", "login-server.mjs"), ...args];
  const command = options.disk?.mounted(plain) ?? plain;
  const limit = options.maxFileBlocks === undefined ? "unlimited" : `${options.maxFileBlocks}`;
  const child = spawn("/bin/sh", ["-c", `ulimit -f ${limit}; exec "$@"`, "sh", ...command], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { PATH: process.env.PATH, ...options.env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  // Not "close": Node does not emit it for a process whose channel was disconnected before.
  const drained = [child.stdout, child.stderr].map((stream) => (stream ? finished(stream) : undefined));
  const ended = Promise.all([once(child, "exit"), ...drained]).then(() => {
    running.delete(child);
    return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
  });
  running.set(child, ended);
  const ready = new Promise<{ url: string; port: number; networkId: string }>((resolve, reject) => {
    child.once("message", (message: { kind: string; url: string; port: number; networkId: string }) => {
      if (message.kind === "ready") resolve(message);
    });
    void ended.then((end) => reject(new Error(`it ended with ${end.code}: ${end.stdout}${end.stderr}`)));
  });
  // A test that expects the end does not ask for readiness.
  ready.catch(() => undefined);
  return { child, ready, ended };
}

/** For afterEach: ends what a test has left. */
export async function endLoginServers(): Promise<void> {
  for (const child of running.keys()) child.kill("SIGKILL");
  await Promise.all(running.values());
}
