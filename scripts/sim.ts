/** `npm run sim -- [--nodes N] [--minutes N] …`: a network of supernodes under a virtual clock. */
import { join } from "node:path";
import { build } from "esbuild";
import { Lifetime } from "./lifetime.ts";
import { startProgram } from "./owned-process.ts";
import { root } from "./repository.ts";

// The simulation belongs to the tests: it is run from here, not imported.
const script = join(root, "out", "sim", "index.mjs");
await build({
  entryPoints: [join(root, "test", "sim", "index.ts")],
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
// Thousands of members who each know thousands of members are more than Node's usual heap.
const args = ["--enable-source-maps", "--max-old-space-size=16384", script, ...process.argv.slice(2)];
const simulation = await startProgram("the simulation", process.execPath, args, process.env, "inherit");
lifetime.atEnd(async () => {
  simulation.child.kill("SIGTERM");
  await simulation.ended;
});
await simulation.ended;
process.exitCode = simulation.child.exitCode ?? 1;
await lifetime.end();
