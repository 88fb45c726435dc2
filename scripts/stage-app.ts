/** Lays out what is packaged: the built app, the description of it, and the native modules that it loads. */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { root } from "./repository.ts";

/** Native modules that the app's main process loads. */
const LOADED_BY_THE_APP = ["libsql"];

const Description = z.object({
  name: z.string(),
  productName: z.string(),
  version: z.string(),
  description: z.string(),
  author: z.string(),
  license: z.string(),
  main: z.string(),
  /** There is no site yet; Debian packages must name one. */
  homepage: z.string().default("https://kith.invalid/"),
});
const Module = z.object({
  version: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});

/** @returns what the packaged app says of itself */
export async function stageApp(folder: string): Promise<z.infer<typeof Description>> {
  const description = Description.parse(await readJson(join(root, "package.json")));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(join(root, "out", "app"), join(folder, "out", "app"), {
    recursive: true,
    filter: (path) => !path.endsWith(".map"),
  });
  const dependencies: Record<string, string> = {};
  for (const name of LOADED_BY_THE_APP) dependencies[name] = await stageModule(name, folder, new Set());
  await writeFile(join(folder, "package.json"), JSON.stringify({ ...description, dependencies }, null, 2));
  return description;
}

/** Copies a module with everything that it depends on, as far as it is made for this platform. */
async function stageModule(name: string, folder: string, staged: Set<string>): Promise<string> {
  const source = join(root, "node_modules", name);
  const { version, dependencies, optionalDependencies } = Module.parse(await readJson(join(source, "package.json")));
  staged.add(name);
  await cp(source, join(folder, "node_modules", name), { recursive: true, dereference: true });
  for (const dependency of [...Object.keys(dependencies), ...Object.keys(optionalDependencies)]) {
    if (staged.has(dependency)) continue;
    const optional = dependency in optionalDependencies;
    if (optional && (await readJson(join(root, "node_modules", dependency, "package.json"))) === null) continue;
    await stageModule(dependency, folder, staged);
  }
  return version;
}

/** null when there is no such file */
async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, "utf8").catch(() => null);
  return text === null ? null : JSON.parse(text);
}
