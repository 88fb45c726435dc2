/** `npm run test:lab [-- --json ...]`: calls between real apps behind every kind of firewall, in network namespaces. */
import { join } from "node:path";
import { build } from "esbuild";
import { Lifetime } from "./lifetime.ts";
import { startProgram } from "./owned-process.ts";
import { root } from "./repository.ts";

// The lab belongs to the tests: it is run from here, not imported.
const script = join(root, "out", "lab", "index.mjs");
await build({
  entryPoints: [join(root, "test", "lab", "index.ts")],
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
const args = ["--enable-source-maps", script, ...process.argv.slice(2)];
const lab = await startProgram("the lab", process.execPath, args, process.env, "inherit");
lifetime.atEnd(async () => {
  // It has namespaces to take down, and is given the time.
  lab.child.kill("SIGTERM");
  await lab.ended;
});
await lab.ended;
process.exitCode = lab.child.exitCode ?? 1;
await lifetime.end();
