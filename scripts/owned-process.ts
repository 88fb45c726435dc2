import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";

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

/**
 * Starts a program in a process group of its own: Ctrl-C reaches this script alone, which
 * then ends what it started in the right order.
 *
 * @param output where stdout and stderr go: a file descriptor, or the terminal's
 * @throws Error when the program cannot be started
 */
export async function startProgram(
  name: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: number | "inherit",
): Promise<OwnedProcess> {
  return own(name, spawn(command, args, { env, stdio: ["ignore", output, output], detached: true }));
}

/** The same for a Node script, with a channel on which it can report. */
export async function startNode(
  name: string,
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: number,
): Promise<OwnedProcess> {
  const stdio = ["ignore", output, output, "ipc"] as const;
  return own(name, fork(script, args, { env, stdio: [...stdio], execArgv: [], detached: true }));
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
