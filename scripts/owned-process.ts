import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { onPath } from "./system-packages.ts";

/** Time between asking a process to end and ending it. */
const GRACE_MS = 5_000;

/** A process that this script has started, and ends. */
export interface OwnedProcess {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves with a phrase ("ended with code 1") when it is over, whoever ended it. */
  readonly ended: Promise<string>;
  /** Asks it to end, insists after five seconds, and waits until it is gone. */
  end(): Promise<void>;
}

/** Where stdout and stderr go: the terminal, or a file that is begun anew. */
export type Output = "inherit" | { readonly file: string };

/**
 * Starts a program in a process group of its own: Ctrl-C reaches this script alone, which
 * then ends what it started in the right order. Should this script be killed, the program
 * ends by itself (on Linux).
 *
 * @throws Error when the program cannot be started
 */
export function startProgram(
  name: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output,
): Promise<OwnedProcess> {
  return withOutput(output, (out) => {
    return own(name, spawn(...endingWithUs(command, args, env), { env, stdio: ["ignore", out, out], detached: true }));
  });
}

/**
 * The command that runs a program and has the kernel end it when this process is gone:
 * setpriv (util-linux) asks for that signal and becomes the program.
 */
export function endingWithUs(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): [command: string, args: readonly string[]] {
  if (process.platform !== "linux" || !onPath("setpriv", env)) return [command, args];
  return ["setpriv", ["--pdeathsig", "TERM", command, ...args]];
}

/** The same for a Node script, with a channel on which it can report; it ends when the channel does. */
export function startNode(
  name: string,
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output,
): Promise<OwnedProcess> {
  return withOutput(output, (out) => {
    return own(name, fork(script, args, { env, stdio: ["ignore", out, out, "ipc"], execArgv: [], detached: true }));
  });
}

async function withOutput<T>(output: Output, start: (out: "inherit" | number) => Promise<T>): Promise<T> {
  if (output === "inherit") return start("inherit");
  const log = await open(output.file, "w", 0o600);
  try {
    return await start(log.fd);
  } finally {
    // The child has its own copy of the descriptor.
    await log.close();
  }
}

/** Takes charge of a process that was just started. */
export async function own(name: string, child: ChildProcess): Promise<OwnedProcess> {
  if (child.pid === undefined) {
    const [error] = await once(child, "error");
    throw new Error(`${name} cannot be started: ${error instanceof Error ? error.message : error}`);
  }
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
  });
  return {
    name,
    pid: child.pid,
    child,
    ended,
    async end() {
      child.kill("SIGTERM");
      const insist = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      await ended;
      clearTimeout(insist);
    },
  };
}
