/** Debian's coturn tools, where they are installed (`apt-get install coturn`). */
import { spawn, spawnSync } from "node:child_process";

export function hasTool(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** What a title says of tests that cannot run here. */
export function reasonWithout(...tools: readonly string[]): string {
  const missing = tools.filter((tool) => !hasTool(tool));
  return missing.length === 0 ? "" : ` (skipped: ${missing.join(", ")} not installed; package coturn)`;
}

export interface ToolRun {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Runs a tool to its end, or ends it after a while. */
export function runTool(name: string, args: readonly string[], timeoutMs = 25_000): Promise<ToolRun> {
  const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve) => {
    let output = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("close", (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, output });
    });
  });
}

/** What turnutils_uclient says at its end. */
export function uclientResult(run: ToolRun): { readonly sent: number; readonly received: number } {
  const totals = [...run.output.matchAll(/tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g)].at(-1);
  return { sent: Number(totals?.[1] ?? -1), received: Number(totals?.[2] ?? -1) };
}

/** Messages that turnutils_uclient threw away because they came in one piece. @param bytesEach of one of them */
export function mergedMessages(run: ToolRun, bytesEach: number): number {
  const pieces = run.output.matchAll(
    /received buffer have wrong length: (\d+)|Unknown message received of size: (\d+)/g,
  );
  return [...pieces].reduce((count, piece) => count + Number(piece[1] ?? piece[2]) / bytesEach, 0);
}
