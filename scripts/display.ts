import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { Failure } from "./failure.ts";
import { endingWithUs, own } from "./owned-process.ts";
import { hasDisplay, onPath } from "./system-packages.ts";

/** Room for two windows side by side. */
const SCREEN = "1960x1080x24";

/** A display for windows. */
export interface Display {
  readonly kind: "real" | "virtual";
  /** The environment for programs that open windows on it. */
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/**
 * @param wish `real`: the user's display if there is one; `virtual`: an Xvfb of our own if
 *   the machine has it, so that unattended runs leave the user's screen alone
 */
export async function openDisplay(wish: Display["kind"], env: NodeJS.ProcessEnv): Promise<Display> {
  const canBeVirtual = process.platform === "linux" && onPath("Xvfb", env);
  if (hasDisplay(env) && (wish === "real" || !canBeVirtual)) return { kind: "real", env, close: async () => {} };
  return openVirtualDisplay(env);
}

async function openVirtualDisplay(env: NodeJS.ProcessEnv): Promise<Display> {
  // -displayfd: the server takes a free number and says which, so two runs cannot clash.
  const args = ["-displayfd", "3", "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"];
  const child = spawn(...endingWithUs("Xvfb", args, env), {
    env,
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    detached: true,
  });
  const server = await own("Xvfb", child);
  const answer = child.stdio[3];
  if (!(answer instanceof Readable)) throw new Error("Xvfb has no answer pipe");
  const number = await Promise.race([once(answer, "data").then(String), server.ended]);
  if (!/^\d+\s*$/.test(number)) throw new Failure(`The virtual display cannot be started: Xvfb ${number}.`);
  const { WAYLAND_DISPLAY: _, ...rest } = env;
  return {
    kind: "virtual",
    env: { ...rest, DISPLAY: `:${number.trim()}` },
    close: () => server.end(),
  };
}
