import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listPackage } from "@electron/asar";
import { FuseV1Options, getCurrentFuseWire } from "@electron/fuses";
import { chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../scripts/repository.ts";
import { runCommand } from "../../scripts/run-command.ts";

const unpacked = join(root, "dist", "linux-unpacked");
const executable = join(unpacked, "kith");
const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
/** As a fuse stands in the executable. */
const OFF = "0".charCodeAt(0);
const ON = "1".charCodeAt(0);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-packaged-"));
  const made = await runCommand(process.execPath, [join(root, "scripts", "bootstrap.mjs"), "dist", "--dir"]);
  expect(made.code, made.stderr).toBe(0);
});
afterAll(() => rm(folder, { recursive: true }));

describe.runIf(process.platform === "linux")("the packaged app", () => {
  it("cannot be turned into a Node, a debuggee or another app", async () => {
    const wire = await getCurrentFuseWire(executable);
    const off = [
      FuseV1Options.RunAsNode,
      FuseV1Options.EnableNodeOptionsEnvironmentVariable,
      FuseV1Options.EnableNodeCliInspectArguments,
      FuseV1Options.GrantFileProtocolExtraPrivileges,
    ];
    for (const fuse of off) expect(wire[fuse], FuseV1Options[fuse]).toBe(OFF);
    expect(wire[FuseV1Options.OnlyLoadAppFromAsar]).toBe(ON);
  });

  it("holds the built app and its native module, and no sources", async () => {
    const files = listPackage(join(unpacked, "resources", "app.asar"), { isPack: false });
    expect(files).toEqual(
      expect.arrayContaining([
        "/package.json",
        "/out/app/main.cjs",
        "/out/app/preload.cjs",
        "/out/app/supernode.cjs",
        "/out/app/renderer/index.html",
      ]),
    );
    expect(files.filter((file) => /\.(ts|tsx|map)$/.test(file))).toEqual([]);
    const modules = files.map((file) => file.match(/.*\/node_modules\/((@[^/]+\/)?[^/@]+)/)?.[1]);
    expect(new Set(modules.filter(Boolean))).toEqual(
      new Set(["libsql", "@libsql/linux-x64-gnu", "@neon-rs/load", "detect-libc"]),
    );
    expect((await stat(join(unpacked, "resources", "app.asar"))).size).toBeLessThan(7_000_000);
  });

  it("comes with its licence", async () => {
    expect(await readFile(join(unpacked, "LICENSE"), "utf8")).toBe(await readFile(join(root, "LICENSE"), "utf8"));
  });

  it("as it is released, shows the sign-in screen and heeds no debugging switches of Node", async () => {
    const args = [...asRoot, "--inspect=0", "--remote-debugging-port=0", `--profile=${join(folder, "profile")}`];
    const app = spawn(executable, [...args, "--login-server=http://127.0.0.1:9"], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
    });
    const ended = once(app, "exit");
    let stderr = "";
    app.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    try {
      const window = await windowOf(() => stderr);
      await window.getByLabel("Handle").waitFor();
      expect(window.url()).toBe("app://kith/");
      expect(await window.getByLabel("Login server").inputValue()).toBe("http://127.0.0.1:9");
      expect(await window.getByRole("button", { name: "Sign in" }).isVisible()).toBe(true);
      // The database is open: the native module was found in the package.
      expect((await stat(join(folder, "profile", "kith.db"))).size).toBeGreaterThan(0);
      expect(stderr).not.toContain("Debugger listening");
    } finally {
      app.kill("SIGTERM");
      await ended;
    }
  });
});

/** The app's window over Chromium's own debugging port, once it is loaded: the fuses leave that one alone. */
async function windowOf(stderr: () => string): Promise<Page> {
  const patience = { timeout: 60_000 };
  await expect.poll(stderr, patience).toContain("DevTools listening on ws://");
  const origin = `http://${stderr().match(/DevTools listening on ws:\/\/([^/]+)/)?.[1]}`;
  const titles = () => fetch(`${origin}/json/list`).then((answer) => answer.text());
  await expect.poll(titles, patience).toContain('"title": "Kith"');
  const browser = await chromium.connectOverCDP(origin);
  const page = browser.contexts()[0]?.pages()[0];
  if (page === undefined) throw new Error("the app has no window");
  return page;
}
