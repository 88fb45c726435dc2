import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** The folder of the working copy: found upwards, because the scripts run from out/scripts/ and tests from scripts/. */
export const root = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  if (existsSync(join(folder, "scripts", "bootstrap.mjs"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("not inside a working copy of Kith");
  return findRoot(parent);
}

/** What can be fetched again and is shared by all working copies of this user (XDG Base Directory Specification 0.8). */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME;
  return join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "kith");
}

/** The exact version of a dependency as it is installed. */
export function installedVersion(packageName: string): string {
  const file = join(root, "node_modules", packageName, "package.json");
  return String(JSON.parse(readFileSync(file, "utf8")).version);
}
