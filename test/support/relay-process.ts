/** A supernode in a process of its own, built from the sources: what tests kill, stop and signal. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { SupernodeId } from "../../protocol/identifiers.ts";

const ROOT = join(import.meta.dirname, "../..");

let bundled: Promise<string> | undefined;

/** The bundle of relay/index.ts, beside node_modules so that what stays outside of it is found. */
function bundle(): Promise<string> {
  bundled ??= (async () => {
    const folder = join(ROOT, "out", "test");
    mkdirSync(folder, { recursive: true });
    const outfile = join(folder, `relay-${process.pid}.mjs`);
    await build({
      entryPoints: [join(ROOT, "relay/index.ts")],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      logLevel: "error",
    });
    // Whole at any time, though several test files build it at once.
    const bundlePath = join(folder, "relay.mjs");
    renameSync(outfile, bundlePath);
    return bundlePath;
  })();
  return bundled;
}

export interface RelayProcess {
  readonly child: ChildProcess;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  output(): { readonly stdout: string; readonly stderr: string };
}

export async function startRelayProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RelayProcess> {
  const child = fork(await bundle(), [...args], { silent: true, env: { ...process.env, ...env } });
  const printed = { stdout: "", stderr: "" };
  // Not the child's own "close": Node does not emit it once the channel has been disconnected.
  const heard = (["stdout", "stderr"] as const).map((name) => {
    const stream = child[name];
    if (!stream) throw new Error(`no ${name} to listen to`);
    stream.on("data", (chunk: Buffer) => {
      printed[name] += chunk.toString();
    });
    return once(stream, "close");
  });
  const ended = Promise.all([once(child, "exit"), ...heard]).then(([[code, signal]]) => code ?? signal);
  return { child, ended, output: () => printed };
}

/** Its `ready` message. @throws Error with its last words if it ends before */
export async function readiness({
  child,
  ended,
  output,
}: RelayProcess): Promise<{ supernodeId: SupernodeId; port: number }> {
  const message = once(child, "message").then(([value]: unknown[]) => value);
  const ready = await Promise.race([message, ended.then((how) => ({ ended: how, ...output() }))]);
  if (typeof ready !== "object" || ready === null || !("supernodeId" in ready) || !("port" in ready)) {
    throw new Error(`the relay did not come up: ${JSON.stringify(ready)}`);
  }
  return { supernodeId: SupernodeId.parse(ready.supernodeId), port: Number(ready.port) };
}
