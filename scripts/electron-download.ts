import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { step } from "./progress.mjs";
import { cacheFolder } from "./repository.ts";
import { lastLine, runCommand } from "./run-command.ts";

/** No byte for this long: the server cannot be reached, or not usefully. */
const STALL_MS = 20_000;
/** After a failure, starts go without trying for this long. */
const REMEMBER_FAILURE_MS = 60 * 60 * 1_000;
const WATCH_MS = 500;

export type ElectronDownload =
  | { readonly ok: true }
  /** `firstHand`: tried just now, not remembered. */
  | { readonly ok: false; readonly reason: string; readonly firstHand: boolean };

/**
 * Has the `electron` package's own installer put its binary in place; it knows the mirrors
 * (ELECTRON_MIRROR and its like, also from .npmrc), proxies, checksums and its own cache.
 * Given up when nothing arrives for 20 s, and not tried again for an hour unless the
 * settings change.
 */
export async function downloadElectron(
  packageFolder: string,
  version: string,
  env: NodeJS.ProcessEnv,
  stallMs: number = STALL_MS,
): Promise<ElectronDownload> {
  if (await isInstalled(packageFolder, version)) return { ok: true };
  const failureFile = join(cacheFolder(env), `electron-${version}-unreachable.json`);
  const settings = downloadSettings(env);
  const remembered = await rememberedFailure(failureFile, settings);
  if (remembered !== null) return { ok: false, reason: remembered, firstHand: false };

  const failure = await step(`Downloading Electron ${version}`, (report) =>
    install(packageFolder, env, stallMs, report),
  );
  if (failure === null && (await isInstalled(packageFolder, version))) {
    await rm(failureFile, { force: true });
    return { ok: true };
  }
  const reason = failure ?? "its installer left no usable binary";
  await mkdir(cacheFolder(env), { recursive: true });
  await writeFile(failureFile, JSON.stringify({ reason, settings, at: Date.now() }));
  return { ok: false, reason, firstHand: true };
}

/** The same test as the package's own: files that its installer writes last. */
async function isInstalled(packageFolder: string, version: string): Promise<boolean> {
  const executable = await readFile(join(packageFolder, "path.txt"), "utf8").catch(() => null);
  const installed = await readFile(join(packageFolder, "dist", "version"), "utf8").catch(() => "");
  return (
    executable !== null &&
    installed.trim().replace(/^v/, "") === version &&
    existsSync(join(packageFolder, "dist", executable))
  );
}

/** @returns null when it went well, otherwise why not */
async function install(
  packageFolder: string,
  env: NodeJS.ProcessEnv,
  stallMs: number,
  report: (detail: string) => void,
): Promise<string | null> {
  // A temporary folder of its own shows how much has arrived.
  const arriving = await mkdtemp(join(tmpdir(), "kith-electron-"));
  const stalled = new AbortController();
  let bytes = 0;
  let grewAt = performance.now();
  const watch = setInterval(async () => {
    const now = (await sizeOf(arriving)) + (await sizeOf(join(packageFolder, "dist")));
    if (now !== bytes) grewAt = performance.now();
    bytes = now;
    report(`${(bytes / 1e6).toFixed(0)} MB`);
    if (performance.now() - grewAt > stallMs) stalled.abort();
  }, WATCH_MS);
  try {
    const result = await runCommand(process.execPath, [join(packageFolder, "install.js")], {
      signal: stalled.signal,
      env: { ...env, TMPDIR: arriving, TEMP: arriving, TMP: arriving, ELECTRON_GET_NO_PROGRESS: "1" },
    });
    if (stalled.signal.aborted) return `nothing arrived for ${stallMs / 1_000} s`;
    return result.code === 0 ? null : reasonIn(result.stderr);
  } finally {
    clearInterval(watch);
    await rm(arriving, { recursive: true, force: true });
  }
}

/** The installer prints a stack; Node calls every trouble on the line "fetch failed". */
function reasonIn(stderr: string): string {
  const errors = stderr.match(/\b\w*Error: .+/g) ?? [];
  const reason = (errors.at(-1) ?? lastLine(stderr)).replace(/^\w*Error: /, "");
  return reason === "fetch failed" ? "its release server cannot be reached" : reason;
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) => stat(join(folder, name)).then((found) => (found.isFile() ? found.size : 0)));
  return (await Promise.allSettled(sizes)).reduce((sum, one) => sum + (one.status === "fulfilled" ? one.value : 0), 0);
}

/** Whatever may change where the installer downloads from: another setting is worth another try. */
function downloadSettings(env: NodeJS.ProcessEnv): string {
  return (
    Object.entries(env)
      // npm sets some to nothing for what it runs.
      .filter(([name, value]) => /electron_|proxy/i.test(name) && value !== "")
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join("\n")
  );
}

async function rememberedFailure(file: string, settings: string): Promise<string | null> {
  try {
    const found = JSON.parse(await readFile(file, "utf8"));
    const fresh = Math.abs(Date.now() - Number(found.at)) < REMEMBER_FAILURE_MS;
    return fresh && found.settings === settings ? String(found.reason) : null;
  } catch {
    return null;
  }
}
