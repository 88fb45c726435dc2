/** `npm run check`: types, lint and format, the dependency rule, the shape of files, and code that nobody uses. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findMisshapen } from "./file-shape.ts";
import { findViolations } from "./layers.ts";
import { findUnlocked, LockFile } from "./lock-file.ts";
import { root } from "./repository.ts";
import { runCommand } from "./run-command.ts";

/** @returns what is wrong; empty when all is well */
type Check = () => Promise<string>;

const CHECKS: readonly (readonly [string, Check])[] = [
  ["types", () => tool("typescript/bin/tsc", "-p", ".")],
  ["types of the window", () => tool("typescript/bin/tsc", "-p", "renderer")],
  ["lint and format", () => tool("@biomejs/biome/bin/biome", "check", "--error-on-warnings", ".")],
  ["who imports whom", async () => lines(findViolations(await sources()), (v) => `${v.file}:${v.line}: ${v.rule}`)],
  ["shape of files", async () => lines(findMisshapen(await sources()), (sentence) => sentence)],
  ["package lock", async () => findUnlocked(LockFile.parse(await readJson("package-lock.json"))).join("\n")],
  ["unused code", () => tool("knip/bin/knip.js", "--no-progress")],
];

let failed = false;
for (const [name, check] of CHECKS) {
  const startedAt = performance.now();
  const trouble = await check();
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  process.stdout.write(`${trouble ? "FAILED" : "ok    "} ${name.padEnd(20)} ${seconds} s\n`);
  if (trouble) process.stdout.write(`${trouble.trimEnd()}\n`);
  failed ||= trouble !== "";
}
process.exitCode = failed ? 1 : 0;

/** Runs a tool of node_modules; it is well if it ends with code 0. */
async function tool(script: string, ...args: string[]): Promise<string> {
  const path = join(root, "node_modules", ...script.split("/"));
  const result = await runCommand(process.execPath, [path, ...args], { cwd: root });
  return result.code === 0 ? "" : `${result.stdout}${result.stderr}` || `${script} ended with code ${result.code}`;
}

/** Our own source files, as git knows them: tracked or new, not ignored. */
async function sources(): Promise<Map<string, string>> {
  const listed = await runCommand("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const files = listed.stdout.split("\n").filter((file) => /\.(ts|tsx|mts|cts|js|mjs|cjs)$/.test(file));
  const read = files.map(async (file) => [file, await readFile(join(root, file), "utf8").catch(() => "")] as const);
  return new Map(await Promise.all(read));
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(join(root, file), "utf8"));
}

function lines<T>(found: readonly T[], sentence: (one: T) => string): string {
  return found.map(sentence).join("\n");
}
