import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataFolder } from "../../scripts/data-folder.ts";
import { root } from "../../scripts/repository.ts";

let data: string;
let start: ChildProcess | undefined;
let output: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "kith-start-"));
  output = "";
});
afterEach(async () => {
  if (start?.exitCode === null && start.kill("SIGTERM")) await once(start, "exit");
  await rm(data, { recursive: true });
});

/** Runs `npm start` until it says that everything runs, and returns the processes that it names. */
async function runStart(): Promise<Map<string, number>> {
  const args = [join(root, "scripts", "bootstrap.mjs"), "start", "--data", data];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  start = child;
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (output.includes("Ctrl-C ends everything")) resolve();
      });
    }
    child.once("exit", () => reject(new Error(`it ended: ${output}`)));
  });
  const rows = [...output.matchAll(/^ {2}(\S.*?) {2,}.* process (\d+)$/gm)];
  return new Map(rows.map(([, name = "", pid]) => [name, Number(pid)]));
}

/** Chromium makes this folder of the profile when its first window opens. */
async function windowIsOpen(handle: string): Promise<void> {
  const storage = join(data, handle, "chromium", "Local Storage");
  await expect.poll(() => stat(storage).catch(() => null), { timeout: 30_000 }).not.toBeNull();
}

async function exitCode(): Promise<number | null> {
  if (start?.exitCode === null) await once(start, "exit");
  return start?.exitCode ?? null;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("npm start", () => {
  it("says what runs where, and ends all of it when it is told to end", async () => {
    const processes = await runStart();
    expect([...processes.keys()]).toEqual([
      "login server",
      "supernode 1",
      "supernode 2",
      "supernode 3",
      "Alice's app",
      "Bob's app",
    ]);
    expect([...processes.values()].every(isAlive)).toBe(true);
    start?.kill("SIGTERM");
    expect(await exitCode()).toBe(128 + 15);
    expect([...processes.values()].filter(isAlive)).toEqual([]);
    // Nobody holds the folder any more.
    await (await DataFolder.open(data)).close();
  });

  it("ends by itself, content, when both apps are closed, and starts again on the same accounts", async () => {
    const processes = await runStart();
    await Promise.all([windowIsOpen("alice"), windowIsOpen("bob")]);
    for (const name of ["Alice's app", "Bob's app"]) process.kill(processes.get(name) ?? 0, "SIGTERM");
    expect(await exitCode()).toBe(0);
    expect([...processes.values()].filter(isAlive)).toEqual([]);
    const password = output.match(/password +(\S+)/)?.[1];
    output = "";
    await runStart();
    expect(output).toContain(`${password} (alice's and bob's)`);
    expect(output).not.toContain("Signing up");
  });

  it("ends everything and says which part it was when one dies", async () => {
    const processes = await runStart();
    process.kill(processes.get("supernode 2") ?? 0, "SIGKILL");
    expect(await exitCode()).toBe(1);
    expect(output).toContain("Supernode 2 was ended by SIGKILL.");
    expect([...processes.values()].filter(isAlive)).toEqual([]);
  });
});
