import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listPackage } from "@electron/asar";
import { FuseV1Options, FuseVersion, flipFuses, getCurrentFuseWire } from "@electron/fuses";
import { _electron } from "playwright-core";
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
        "/out/app/renderer/index.html",
      ]),
    );
    expect(files.filter((file) => /\.(ts|tsx|map)$/.test(file))).toEqual([]);
    const modules = files.map((file) => file.match(/.*\/node_modules\/((@[^/]+\/)?[^/@]+)/)?.[1]);
    expect(new Set(modules.filter(Boolean))).toEqual(
      new Set(["libsql", "@libsql/linux-x64-gnu", "@neon-rs/load", "detect-libc"]),
    );
    expect((await stat(join(unpacked, "resources", "app.asar"))).size).toBeLessThan(5_000_000);
  });

  it("as it is released, starts on a profile and heeds no debugging switches", async () => {
    const profile = join(folder, "released");
    const app = spawn(executable, [...asRoot, "--inspect=0", `--profile=${profile}`], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
    });
    let stderr = "";
    app.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const ended = once(app, "exit");
    await expect
      .poll(() => stat(join(profile, "kith.db")).then((file) => file.size), { timeout: 30_000 })
      .toBeGreaterThan(0);
    app.kill("SIGTERM");
    await ended;
    expect(stderr).not.toContain("Debugger listening");
  });

  it("shows the sign-in screen", async () => {
    // A copy that differs in one fuse: the one that lets Playwright look inside.
    const copy = join(folder, "app");
    await cp(unpacked, copy, { recursive: true });
    await flipFuses(join(copy, "kith"), {
      version: FuseVersion.V1,
      [FuseV1Options.EnableNodeCliInspectArguments]: true,
    });
    const app = await _electron.launch({
      executablePath: join(copy, "kith"),
      args: [...asRoot, `--profile=${join(folder, "profile")}`, "--login-server=http://127.0.0.1:9"],
    });
    try {
      const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
      expect(await app.evaluate(({ app }) => [app.isPackaged, app.getName(), app.getVersion()])).toEqual([
        true,
        "Kith",
        version,
      ]);
      const window = await app.firstWindow();
      await window.getByLabel("Handle").waitFor();
      expect(await window.getByLabel("Login server").inputValue()).toBe("http://127.0.0.1:9");
      expect(await window.getByRole("button", { name: "Sign in" }).isVisible()).toBe(true);
    } finally {
      await app.close();
    }
  });
});
