// @ts-check
import { spawn } from "node:child_process";

/**
 * Runs npm quietly: the one that runs us, if npm does, otherwise the one on the PATH.
 *
 * @param {readonly string[]} args
 * @param {string} folder the working folder
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ code: number, stderr: string }>}
 */
export function runNpm(args, folder, env) {
  const quiet = [...args, "--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier"];
  const running = env.npm_execpath ?? "";
  const byNode = /npm-cli\.c?js$/.test(running);
  const child = spawn(byNode ? process.execPath : "npm", byNode ? [running, ...quiet] : quiet, {
    cwd: folder,
    env,
    stdio: ["ignore", "ignore", "pipe"],
    // Windows starts npm.cmd through its shell only.
    shell: !byNode && process.platform === "win32",
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ code: 1, stderr: `npm cannot be started: ${error.message}` }));
    child.on("close", (code) => resolve({ code: code ?? 1, stderr }));
  });
}
