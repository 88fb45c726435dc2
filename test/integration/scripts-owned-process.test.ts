import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDisplay } from "../../scripts/display.ts";
import { type OwnedProcess, startProgram } from "../../scripts/owned-process.ts";
import { root } from "../../scripts/repository.ts";
import { onPath } from "../../scripts/system-packages.ts";

let folder: string;
let parent: ChildProcess | undefined;
const started: OwnedProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-process-"));
});
afterEach(async () => {
  parent?.kill("SIGKILL");
  for (const one of started.splice(0)) await one.end();
  await rm(folder, { recursive: true });
});

async function start(script: string): Promise<OwnedProcess> {
  const output = { file: join(folder, "log") };
  const program = await startProgram("It", process.execPath, ["--eval", script], process.env, output);
  started.push(program);
  return program;
}

async function hasSaid(word: string): Promise<void> {
  await expect.poll(() => readFile(join(folder, "log"), "utf8"), { timeout: 10_000 }).toContain(word);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a program that a script has started", () => {
  it("writes to its log and says how it ended", async () => {
    const program = await start('console.log("a word"); process.exit(3);');
    expect(await program.ended).toBe("ended with code 3");
    await hasSaid("a word");
  });

  it("is asked to end first", async () => {
    const program = await start(
      'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up");',
    );
    await hasSaid("up");
    await program.end();
    expect(await program.ended).toBe("ended with code 7");
  });

  it("is ended when it does not listen", { timeout: 20_000 }, async () => {
    const program = await start('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");');
    await hasSaid("up");
    await program.end();
    expect(await program.ended).toBe("was ended by SIGKILL");
  });

  it.runIf(onPath("setpriv", process.env))("does not outlive a script that is killed", async () => {
    const script = `
      import { startProgram } from ${JSON.stringify(join(root, "scripts", "owned-process.ts"))};
      const output = { file: ${JSON.stringify(join(folder, "log"))} };
      const { pid } = await startProgram("It", process.execPath, ["-e", "setInterval(() => {}, 1000)"], process.env, output);
      console.log(pid);
      setInterval(() => {}, 1000);`;
    await writeFile(join(folder, "script.ts"), script);
    const outfile = join(folder, "script.mjs");
    await build({ entryPoints: [join(folder, "script.ts")], outfile, bundle: true, platform: "node", format: "esm" });
    parent = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "inherit"] });
    if (parent.stdout === null) throw new Error("no pipe");
    const pid = Number(String((await once(parent.stdout, "data"))[0]));
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});

it.runIf(onPath("Xvfb", process.env))(
  "two virtual displays at once are two, and end when they are closed",
  async () => {
    const noDisplay = { ...process.env, DISPLAY: "", WAYLAND_DISPLAY: "" };
    const [one, other] = await Promise.all([openDisplay("real", noDisplay), openDisplay("real", noDisplay)]);
    expect(one.kind).toBe("virtual");
    expect(one.env.DISPLAY).toMatch(/^:\d+$/);
    expect(other.env.DISPLAY).not.toBe(one.env.DISPLAY);
    const number = one.env.DISPLAY?.slice(1);
    const lock = () => readFile(`/tmp/.X${number}-lock`, "utf8").then(Number, () => null);
    expect(isAlive((await lock()) ?? 0)).toBe(true);
    await Promise.all([one.close(), other.close()]);
    expect(await lock()).toBeNull();
  },
);
