/**
 * What Electron needs from the operating system: the shared libraries that it loads, and
 * Xvfb where there is no display. Found out by asking the dynamic linker, not by guessing
 * from the distribution; installed on Debian and Ubuntu by root, otherwise named.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Failure } from "./failure.ts";
import { step } from "./progress.mjs";
import { type CommandResult, lastLine, runCommand } from "./run-command.ts";

/**
 * Debian package of each library. Where Debian 13 and Ubuntu 24.04 have renamed one for
 * 64-bit time_t (https://wiki.debian.org/ReleaseGoals/64bit-time), the new name comes first.
 */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "libX11.so.6": ["libx11-6"],
  "libX11-xcb.so.1": ["libx11-xcb1"],
  "libXcomposite.so.1": ["libxcomposite1"],
  "libXdamage.so.1": ["libxdamage1"],
  "libXext.so.6": ["libxext6"],
  "libXfixes.so.3": ["libxfixes3"],
  "libXrandr.so.2": ["libxrandr2"],
  "libasound.so.2": ["libasound2t64", "libasound2"],
  "libatk-1.0.so.0": ["libatk1.0-0t64", "libatk1.0-0"],
  "libatk-bridge-2.0.so.0": ["libatk-bridge2.0-0t64", "libatk-bridge2.0-0"],
  "libatspi.so.0": ["libatspi2.0-0t64", "libatspi2.0-0"],
  "libcairo.so.2": ["libcairo2"],
  "libcups.so.2": ["libcups2t64", "libcups2"],
  "libdbus-1.so.3": ["libdbus-1-3"],
  "libdrm.so.2": ["libdrm2"],
  "libexpat.so.1": ["libexpat1"],
  "libgbm.so.1": ["libgbm1"],
  "libgcc_s.so.1": ["libgcc-s1"],
  "libgio-2.0.so.0": ["libglib2.0-0t64", "libglib2.0-0"],
  "libglib-2.0.so.0": ["libglib2.0-0t64", "libglib2.0-0"],
  "libgobject-2.0.so.0": ["libglib2.0-0t64", "libglib2.0-0"],
  "libgtk-3.so.0": ["libgtk-3-0t64", "libgtk-3-0"],
  "libnspr4.so": ["libnspr4"],
  "libnss3.so": ["libnss3"],
  "libnssutil3.so": ["libnss3"],
  "libpango-1.0.so.0": ["libpango-1.0-0"],
  "libsmime3.so": ["libnss3"],
  "libudev.so.1": ["libudev1"],
  "libxcb.so.1": ["libxcb1"],
  "libxkbcommon.so.0": ["libxkbcommon0"],
};

/** Loaded by name while Electron runs, so the linker's list does not have it in every version. */
const LOADED_LATER = ["libgtk-3.so.0"];

export interface Needs {
  /** Sonames. */
  readonly libraries: readonly string[];
  readonly xvfb: boolean;
}

/**
 * Makes sure that the Electron in `runtimeFolder` can start, with its windows on a display
 * that exists or can be made.
 *
 * @throws Failure naming what is missing and the command that installs it
 */
export async function ensureSystemPackages(runtimeFolder: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (process.platform !== "linux") return;
  const needs = await findNeeds(runtimeFolder, env);
  if (needsNothing(needs)) return;

  const apt = onPath("apt-get", env);
  const asRoot = process.getuid?.() === 0;
  // Only root's lists are brought up to date; for a hint, the names that are known do.
  if (apt && asRoot) await updatePackageLists(env);
  const { packages, unknown } = await packagesFor(needs, (name) => isAvailable(name, env));
  if (!apt || unknown.length > 0) {
    const names = [...needs.libraries, ...(needs.xvfb ? ["Xvfb"] : [])];
    throw new Failure(`Electron needs ${names.join(", ")}: install them with the package manager of this system.`);
  }
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  if (!asRoot) {
    throw new Failure(
      `Electron needs system packages that are missing. Type: sudo apt-get update && sudo apt-get ${install.join(" ")}`,
    );
  }
  const result = await step(`Installing ${packages.join(" ")} (apt-get)`, () => aptGet(install, env));
  const remaining = await findNeeds(runtimeFolder, env);
  if (result.code !== 0 || !needsNothing(remaining)) {
    throw new Failure(`apt-get ${install.join(" ")} did not help: ${lastLine(result.stderr)}`);
  }
}

/**
 * Makes sure that the system's programs are there which some tests need.
 * @param packages Debian's package of each program
 * @returns null if they are; otherwise what is missing, as a clause
 */
export async function ensureTools(
  packages: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
): Promise<string | null> {
  const withSystemFolders = { ...env, PATH: `${env.PATH ?? ""}${delimiter}/usr/sbin${delimiter}/sbin` };
  const missing = () => Object.keys(packages).filter((program) => !onPath(program, withSystemFolders));
  const before = missing();
  if (before.length > 0 && process.getuid?.() === 0 && onPath("apt-get", env)) {
    const names = before.map((program) => packages[program] ?? program);
    await updatePackageLists(env);
    await step(`Installing ${names.join(" ")} (apt-get)`, () =>
      aptGet(["install", "-y", "--no-install-recommends", ...names], env),
    );
  }
  const after = missing();
  return after.length === 0 ? null : `${after.join(", ")} ${after.length === 1 ? "is" : "are"} not installed`;
}

async function findNeeds(runtimeFolder: string, env: NodeJS.ProcessEnv): Promise<Needs> {
  const own = (await readdir(runtimeFolder)).filter((name) => name === "electron" || /\.so(\.\d+)?$/.test(name));
  const linked = await runCommand(
    "ldd",
    own.map((name) => join(runtimeFolder, name)),
    { env },
  );
  const tooOld = linked.stdout.match(/version `(GLIBC_[\d.]+)' not found/)?.[1];
  if (tooOld !== undefined) throw new Failure(`This system is too old for Electron: its C library lacks ${tooOld}.`);
  const known = await runCommand("/sbin/ldconfig", ["-p"], { env });
  const libraries = new Set(missingInLdd(linked.stdout));
  if (known.code === 0) {
    for (const name of LOADED_LATER) if (!known.stdout.includes(`\t${name} `)) libraries.add(name);
  }
  return { libraries: [...libraries].sort(), xvfb: !hasDisplay(env) && !onPath("Xvfb", env) };
}

/** The libraries that the dynamic linker says it cannot find, each once. */
export function missingInLdd(output: string): string[] {
  return [...new Set([...output.matchAll(/^\s*(\S+) => not found$/gm)].map((match) => match[1] ?? ""))];
}

/**
 * Debian's packages for what is missing, and what has none that we know.
 * @param isAvailable whether the package lists of this machine have a package of that name
 */
export async function packagesFor(
  needs: Needs,
  isAvailable: (name: string) => Promise<boolean>,
): Promise<{ packages: string[]; unknown: string[] }> {
  const packages = new Set<string>(needs.xvfb ? ["xvfb"] : []);
  const unknown: string[] = [];
  for (const library of needs.libraries) {
    const names = PACKAGES[library] ?? [];
    const found = await firstAvailable(names, isAvailable);
    // With no list that has any of them, the old name is the better guess.
    const name = found ?? names.at(-1);
    if (name === undefined) unknown.push(library);
    else packages.add(name);
  }
  return { packages: [...packages].sort(), unknown };
}

async function firstAvailable(
  names: readonly string[],
  isAvailable: (name: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const name of names) if (await isAvailable(name)) return name;
  return undefined;
}

async function isAvailable(name: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return (await runCommand("apt-cache", ["show", "--no-all-versions", name], { env })).code === 0;
}

async function updatePackageLists(env: NodeJS.ProcessEnv): Promise<void> {
  // When it fails the lists that are there may still do; if not, the installation says so.
  await step("Updating the package lists (apt-get)", () => aptGet(["update"], env));
}

function aptGet(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandResult> {
  return runCommand("apt-get", ["-o", "DPkg::Lock::Timeout=300", "-q", ...args], {
    env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
  });
}

function needsNothing(needs: Needs): boolean {
  return needs.libraries.length === 0 && !needs.xvfb;
}

export function hasDisplay(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY) || process.platform !== "linux";
}

export function onPath(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env.PATH ?? "").split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
}
