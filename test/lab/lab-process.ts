/** Processes inside the lab's hosts: programs of this folder, bundled once, and programs of the product. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "../../scripts/repository.ts";

/** Each a file of this folder; run in a host it says `ready` over its channel. */
export type LabProgram = "wire" | "tls-front" | "connect-proxy" | "doorway" | "provision";

export interface LabProcess {
  readonly child: ChildProcess;
  /** Its first message. */
  readonly ready: unknown;
  readonly ended: Promise<void>;
  end(): Promise<void>;
}

const OUT = join(root, "out", "lab");
const READY_MS = 30_000;
const GRACE_MS = 3_000;

let bundled: Promise<void> | undefined;

/** The path of a program of this folder, ready to run. */
async function programFile(name: LabProgram | "app-in-host"): Promise<string> {
  bundled ??= bundle();
  await bundled;
  return join(OUT, `${name}.mjs`);
}

/** What starts an app in a host, to be run in place of the app's own executable. */
export function appInHost(): Promise<string> {
  return programFile("app-in-host");
}

async function bundle(): Promise<void> {
  const programs = ["wire", "tls-front", "connect-proxy", "doorway", "provision", "app-in-host"];
  await build({
    entryPoints: programs.map((name) => join(root, "test", "lab", `${name}.ts`)),
    outdir: OUT,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    logLevel: "error",
  });
  await chmod(join(OUT, "app-in-host.mjs"), 0o755);
}

export interface InHostOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where its output goes; nowhere without it. */
  readonly logFile?: string;
}

export async function startInHost(
  namespace: string,
  program: LabProgram,
  args: readonly string[],
  options: InHostOptions = {},
): Promise<LabProcess> {
  return startScriptInHost(namespace, await programFile(program), args, options);
}

/** @throws Error when it ends before it is ready */
export async function startScriptInHost(
  namespace: string,
  script: string,
  args: readonly string[],
  { env = process.env, logFile }: InHostOptions = {},
): Promise<LabProcess> {
  const child = spawn("ip", ["netns", "exec", namespace, process.execPath, script, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let lastWords = "";
  const log = logFile === undefined ? null : createWriteStream(logFile, { flags: "a" });
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding("utf8").on("data", (text: string) => {
      lastWords = `${lastWords}${text}`.slice(-500);
      log?.write(text);
    });
  }
  const ended = once(child, "exit").then(() => {
    log?.end();
  });
  const message = once(child, "message", { signal: AbortSignal.timeout(READY_MS) }).then(([value]: unknown[]) => value);
  const first = await Promise.race([message, ended.then(() => null)]).catch(() => null);
  if (first === null) {
    child.kill("SIGKILL");
    throw new Error(`${script} ${args.join(" ")} did not come up: ${lastWords.trim()}`);
  }
  return {
    child,
    ready: first,
    ended,
    async end() {
      child.kill("SIGTERM");
      const insist = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      await ended;
      clearTimeout(insist);
    },
  };
}
