/** Programs of the tests that are commands as well: bundled from here, since nothing imports tests, and run to their end. */
import { join } from "node:path";
import { build } from "esbuild";
import { Lifetime } from "./lifetime.ts";
import { startProgram } from "./owned-process.ts";
import { root } from "./repository.ts";

/**
 * Runs test/FOLDER/index.ts with this command's arguments and takes over its exit code.
 * @param name as in "the lab"
 * @param nodeFlags for Node itself
 */
export async function runTestProgram(name: string, folder: string, nodeFlags: readonly string[] = []): Promise<void> {
  const script = join(root, "out", folder, "index.mjs");
  await build({
    entryPoints: [join(root, "test", folder, "index.ts")],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    sourcemap: "linked",
    logLevel: "warning",
  });
  const lifetime = new Lifetime();
  lifetime.endOnSignals();
  const args = ["--enable-source-maps", ...nodeFlags, script, ...process.argv.slice(2)];
  const program = await startProgram(name, process.execPath, args, process.env, "inherit");
  lifetime.atEnd(async () => {
    // It may have namespaces and processes of its own to take down, and is given the time.
    program.child.kill("SIGTERM");
    await program.ended;
  });
  await program.ended;
  process.exitCode = program.child.exitCode ?? 1;
  await lifetime.end();
}
