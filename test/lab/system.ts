/** The system's tools, run to their end. */
import { spawn } from "node:child_process";

/** @throws Error with the tool's own words */
export async function run(command: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${command} ${args.join(" ")}: ${stderr.trim() || `code ${code}`}`));
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Runs what may fail because there is nothing to do. */
export async function tryRun(command: string, args: readonly string[]): Promise<void> {
  await run(command, args).catch(() => {});
}
