import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./app-build.ts";
import { root } from "./repository.ts";

/** Builds a server if its sources have changed and becomes it: options, signals and exit code are the server's own. */
export async function runServer(name: "login-server" | "relay"): Promise<void> {
  await build([name]);
  const bundle = join(root, "out", `${name}.mjs`);
  process.argv[1] = bundle;
  await import(pathToFileURL(bundle).href);
}
