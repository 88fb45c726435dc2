/** Turns the sources into what runs: out/app (the desktop app), out/login-server.mjs and out/relay.mjs. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BuildOptions, build as bundle, formatMessages } from "esbuild";
import { Failure } from "./failure.ts";
import { step } from "./progress.mjs";
import { root } from "./repository.ts";

export type BuildPart = "app" | "login-server" | "relay";

interface Target {
  readonly title: string;
  readonly part: BuildPart;
  /** Folders and files whose content decides whether it must be made again. */
  readonly inputs: readonly string[];
  readonly output: string;
  make(): Promise<void>;
}

/** Binaries that a bundle cannot hold; they stay in node_modules. */
const NATIVE = ["libsql", "koffi"];
/** What every bundle depends on besides its own folder. */
const SHARED_INPUTS = ["protocol", "package-lock.json", "tsconfig.json", "scripts/app-build.ts"];

const node: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  legalComments: "none",
  logLevel: "silent",
  external: NATIVE,
};

const TARGETS: readonly Target[] = [
  {
    title: "the app's main process",
    part: "app",
    inputs: ["main"],
    output: "out/app/main.cjs",
    make: () =>
      esbuild("main/shell/index.ts", "out/app/main.cjs", {
        ...node,
        format: "cjs",
        external: [...NATIVE, "electron"],
        // Bundled packages look for themselves by it; a CommonJS file has no import.meta.
        define: { "import.meta.url": "importMetaUrl" },
        banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
      }),
  },
  {
    title: "the app's supernode",
    part: "app",
    inputs: ["relay"],
    output: "out/app/supernode.cjs",
    make: () =>
      esbuild("relay/embedded.ts", "out/app/supernode.cjs", {
        ...node,
        format: "cjs",
        // Everybody downloads it, and few run it.
        minify: true,
        keepNames: true,
        define: { "import.meta.url": "importMetaUrl" },
        banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
      }),
  },
  {
    title: "the app's preload script",
    part: "app",
    inputs: ["main/shell"],
    output: "out/app/preload.cjs",
    // A sandboxed preload has no Node but `require("electron")`.
    make: () =>
      esbuild("main/shell/preload.ts", "out/app/preload.cjs", {
        ...node,
        platform: "browser",
        format: "cjs",
        target: "chrome130",
        external: ["electron"],
      }),
  },
  {
    title: "the app's window",
    part: "app",
    inputs: ["renderer"],
    output: "out/app/renderer/index.html",
    make: buildRenderer,
  },
  {
    title: "the login server",
    part: "login-server",
    inputs: ["login-server"],
    output: "out/login-server.mjs",
    make: () => esbuild("login-server/index.ts", "out/login-server.mjs", server()),
  },
  {
    title: "the supernode",
    part: "relay",
    inputs: ["relay"],
    output: "out/relay.mjs",
    make: () => esbuild("relay/index.ts", "out/relay.mjs", server()),
  },
];

/**
 * Makes the parts that have changed since they were made last, by the content of their
 * sources: with nothing changed it takes a few milliseconds.
 *
 * @throws Failure with the compiler's words when a part cannot be made
 */
export async function build(parts: readonly BuildPart[]): Promise<void> {
  const wanted = await Promise.all(
    TARGETS.filter(({ part }) => parts.includes(part)).map(async (target) => ({
      target,
      stamp: join(root, "out", ".stamps", target.output.replaceAll("/", "-")),
      hash: await hashOf([...SHARED_INPUTS, ...target.inputs]),
    })),
  );
  const made = await Promise.all(
    wanted.map(async ({ target, stamp, hash }) => {
      return existsSync(join(root, target.output)) && (await readFile(stamp, "utf8").catch(() => "")) === hash;
    }),
  );
  const stale = wanted.filter((_, index) => !made[index]);
  if (stale.length === 0) return;
  await step(`Building ${stale.map(({ target }) => target.title).join(", ")}`, () =>
    Promise.all(
      stale.map(async ({ target, stamp, hash }) => {
        await target.make();
        await mkdir(dirname(stamp), { recursive: true });
        await writeFile(stamp, hash);
      }),
    ),
  );
}

function server(): BuildOptions {
  return {
    ...node,
    format: "esm",
    // Node keeps the text of what it runs: without comments and indentation that is 11 MB less. Names stay, and source maps.
    minifyWhitespace: true,
    // Bundled CommonJS packages call require, which an ES module does not have by itself.
    banner: {
      js: 'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);',
    },
  };
}

async function esbuild(source: string, output: string, options: BuildOptions): Promise<void> {
  if (!existsSync(join(root, source))) throw new Failure(`${source} is missing: ${output} cannot be built.`);
  try {
    const { outputFiles } = await bundle({
      ...options,
      absWorkingDir: root,
      entryPoints: [source],
      outfile: join(root, output),
      write: false,
    });
    await mkdir(dirname(join(root, output)), { recursive: true });
    for (const { path, contents } of outputFiles) {
      // Replaced in one go: another run may be starting from what is there.
      await writeFile(`${path}.${process.pid}`, contents);
      await rename(`${path}.${process.pid}`, path);
    }
  } catch (error) {
    throw new Failure(`${source} cannot be built:\n${await compilerWords(error)}`);
  }
}

async function compilerWords(error: unknown): Promise<string> {
  if (!(error instanceof Error)) return String(error);
  if (!("errors" in error) || !Array.isArray(error.errors)) return error.message;
  return (await formatMessages(error.errors, { kind: "error" })).join("").trim();
}

async function buildRenderer(): Promise<void> {
  const configFile = join(root, "renderer", "vite.config.ts");
  if (!existsSync(configFile)) throw new Failure("renderer/vite.config.ts is missing: the window cannot be built.");
  // Loaded only when it is needed: it takes longer to load than the rest to build.
  const vite = await import("vite");
  const outDir = join(root, "out", "app", "renderer");
  const fresh = `${outDir}.${process.pid}`;
  try {
    await vite.build({ configFile, logLevel: "warn", mode: "production", build: { outDir: fresh, emptyOutDir: true } });
    await rm(outDir, { recursive: true, force: true });
    await rename(fresh, outDir);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw new Failure(`The window cannot be built:\n${error instanceof Error ? error.message : error}`);
  }
}

async function hashOf(inputs: readonly string[]): Promise<string> {
  const files = (await Promise.all(inputs.map(filesOf))).flat().sort();
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(file)
      .update("\0")
      .update(await readFile(join(root, file)))
      .update("\0");
  return hash.digest("hex");
}

/** Paths relative to the working copy; none when it is not there. */
async function filesOf(path: string): Promise<string[]> {
  try {
    const entries = await readdir(join(root, path), { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  } catch {
    return existsSync(join(root, path)) ? [path] : [];
  }
}
