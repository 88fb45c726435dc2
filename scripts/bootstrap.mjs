// @ts-check
/**
 * What every npm script calls: `node scripts/bootstrap.mjs COMMAND ...arguments`.
 *
 * Needs nothing but Node and npm: installs the locked dependencies if they are not there,
 * bundles scripts/COMMAND.ts to out/scripts/COMMAND.mjs and runs it in this process.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runNpm } from "./npm.mjs";
import { say, step } from "./progress.mjs";

const COMMANDS = [
  "start",
  "app",
  "login-server",
  "relay",
  "build",
  "test",
  "test-lab",
  "fuzz",
  "check-code",
  "bench",
  "sim",
  "dist",
  "runtime",
];
const OLDEST_NODE = [20, 19];
const root = dirname(dirname(fileURLToPath(import.meta.url)));

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Kith needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node}. See https://nodejs.org/`);
}
const [command = "", ...args] = process.argv.slice(2);
if (!COMMANDS.includes(command)) {
  fail(`Usage: node scripts/bootstrap.mjs COMMAND ...   with one of: ${COMMANDS.join(", ")}`);
}

if (!dependenciesAreInstalled()) await installDependencies();
try {
  const file = await bundle(command);
  process.setSourceMapsEnabled(true);
  process.argv.splice(1, process.argv.length, file, ...args);
  await import(pathToFileURL(file).href);
} catch (error) {
  fail(wordsFor(error));
}

/**
 * npm keeps a copy of the lock of what it has installed, written when it was through, in
 * node_modules. So an `npm ci` of the user's own counts, and one that was broken off does not.
 */
function dependenciesAreInstalled() {
  const installedLock = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedLock)) return false;
  const installed = packagesOf(installedLock);
  return Object.entries(packagesOf(join(root, "package-lock.json"))).every(([path, wanted]) => {
    const found = installed[path];
    // Optional packages are for other platforms, as a rule.
    return path === "" || (found ? found.version === wanted.version : wanted.optional === true);
  });
}

/**
 * @param {string} lockFile
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, "utf8")).packages;
}

async function installDependencies() {
  const { code, stderr } = await step("Installing the locked npm packages (npm ci)", () =>
    runNpm(["ci"], root, process.env),
  );
  // npm adds its whole manual page to some errors.
  if (code !== 0)
    fail(`The npm packages could not be installed:\n${stderr.trim().split("\n").slice(0, 12).join("\n")}`);
}

/**
 * Packages stay outside the bundle, so this takes some 50 ms: cheaper than finding out
 * whether it is needed.
 *
 * @param {string} name
 * @returns {Promise<string>} the bundle's path
 */
async function bundle(name) {
  const esbuild = await import("esbuild");
  const result = await esbuild
    .build({
      entryPoints: [join(root, "scripts", `${name}.ts`)],
      outdir: join(root, "out", "scripts"),
      outExtension: { ".js": ".mjs" },
      bundle: true,
      // What a script imports only when it needs it is not loaded before.
      splitting: true,
      write: false,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      sourcemap: "linked",
      logLevel: "warning",
    })
    .catch(() => fail(`scripts/${name}.ts cannot be built.`));
  for (const output of result.outputFiles) {
    // Replaced in one go: the same command may be starting in another terminal.
    if (existsSync(output.path) && readFileSync(output.path).equals(output.contents)) continue;
    mkdirSync(dirname(output.path), { recursive: true });
    const temporary = `${output.path}.${process.pid}`;
    writeFileSync(temporary, output.contents);
    renameSync(temporary, output.path);
  }
  return join(root, "out", "scripts", `${name}.mjs`);
}

/**
 * A Failure (scripts/failure.ts) and what the system refuses (no permission, no space) are for
 * a person: the sentence is enough. Anything else is a defect of ours and needs its stack.
 *
 * @param {unknown} error
 */
function wordsFor(error) {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Failure" || "syscall" in error ? error.message : (error.stack ?? error.message);
}

/**
 * @param {string} line
 * @returns {never}
 */
function fail(line) {
  say(line);
  process.exit(1);
}
