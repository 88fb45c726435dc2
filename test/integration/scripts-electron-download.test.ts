import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { downloadElectron } from "../../scripts/electron-download.ts";

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-download-"));
  env = { PATH: process.env.PATH, XDG_CACHE_HOME: join(folder, "cache"), ELECTRON_MIRROR: "https://one.example/" };
  await mkdir(join(folder, "electron"));
});
afterEach(() => rm(folder, { recursive: true }));

/** An `electron` package whose installer is this code; it notes each of its runs in a file. */
async function installer(code: string): Promise<void> {
  const note = `require("node:fs").appendFileSync(${JSON.stringify(join(folder, "runs"))}, "x");`;
  await writeFile(join(folder, "electron", "install.js"), note + code);
}

async function runs(): Promise<number> {
  return (await readFile(join(folder, "runs"), "utf8").catch(() => "")).length;
}

const download = (stallMs?: number) => downloadElectron(join(folder, "electron"), "45.0.0", env, stallMs);

const INSTALLS = `
  const { mkdirSync, writeFileSync } = require("node:fs");
  mkdirSync(__dirname + "/dist");
  writeFileSync(__dirname + "/dist/version", "v45.0.0");
  writeFileSync(__dirname + "/dist/electron", "");
  writeFileSync(__dirname + "/path.txt", "electron");`;

describe("the download of Electron by its own package", () => {
  it("is done once", async () => {
    await installer(INSTALLS);
    expect(await download()).toEqual({ ok: true });
    expect(await download()).toEqual({ ok: true });
    expect(await runs()).toBe(1);
  });

  it("that fails says why, and is not tried again by the next start", async () => {
    await installer('throw new TypeError("getaddrinfo ENOTFOUND one.example");');
    const reason = "getaddrinfo ENOTFOUND one.example";
    expect(await download()).toEqual({ ok: false, reason, firstHand: true });
    expect(await download()).toEqual({ ok: false, reason, firstHand: false });
    expect(await runs()).toBe(1);
  });

  it("is tried again when the settings say to download from elsewhere", async () => {
    await installer("process.exit(1);");
    await download();
    env = { ...env, ELECTRON_MIRROR: "https://two.example/" };
    await installer(INSTALLS);
    expect(await download()).toEqual({ ok: true });
    expect(await runs()).toBe(2);
  });

  it("is given up when nothing arrives any more", async () => {
    await installer("setInterval(() => {}, 1000);");
    const startedAt = performance.now();
    expect(await download(1_000)).toMatchObject({ ok: false, reason: "nothing arrived for 1 s" });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it("is not given up while something arrives", async () => {
    const arriving = 'require("node:fs").appendFileSync(require("node:os").tmpdir() + "/part", "bytes")';
    await installer(`const timer = setInterval(() => ${arriving}, 100);
      setTimeout(() => { clearInterval(timer); ${INSTALLS} }, 3000);`);
    expect(await download(1_500)).toEqual({ ok: true });
  });

  it("leaves no temporary files behind", async () => {
    vi.stubEnv("TMPDIR", join(folder, "temporary"));
    await mkdir(join(folder, "temporary"));
    await installer('require("node:fs").writeFileSync(require("node:os").tmpdir() + "/part", ""); process.exit(1);');
    await download();
    vi.unstubAllEnvs();
    expect(await runs()).toBe(1);
    expect(await readdir(join(folder, "temporary"))).toEqual([]);
  });
});
