import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { root } from "../../scripts/repository.ts";
import { type CommandResult, runCommand } from "../../scripts/run-command.ts";

let clone: string;

/** A working copy with nothing installed, whose one dependency is the esbuild of this one. */
beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), "kith-bootstrap-"));
  for (const file of ["bootstrap.mjs", "npm.mjs", "progress.mjs"]) {
    await cp(join(root, "scripts", file), join(clone, "scripts", file));
  }
  const esbuild = `file:${join(root, "node_modules", "esbuild")}`;
  await writeFile(join(clone, "package.json"), JSON.stringify({ name: "clone", dependencies: { esbuild } }));
  const lock = await runCommand("npm", ["install", "--package-lock-only", "--offline"], { cwd: clone });
  expect(lock.code, lock.stderr).toBe(0);
  await writeFile(
    join(clone, "scripts", "build.ts"),
    "const words: string[] = process.argv; console.log(words.slice(2));",
  );
});
afterEach(() => rm(clone, { recursive: true }));

function bootstrap(...args: string[]): Promise<CommandResult> {
  return runCommand(process.execPath, [
    ...args.splice(0, args[0]?.startsWith("--") ? 2 : 0),
    join(clone, "scripts", "bootstrap.mjs"),
    ...args,
  ]);
}

/** A file in node_modules: `npm ci` empties the folder first. */
const mark = () => join(clone, "node_modules", "mark");
const leaveMark = () => writeFile(mark(), "");
const installedAgain = () =>
  stat(mark()).then(
    () => false,
    () => true,
  );

describe("the way into every command", () => {
  it("installs what is missing, runs the command with its arguments, and does not install again", async () => {
    const first = await bootstrap("build", "one", "--two");
    expect(first).toMatchObject({ code: 0, stdout: "[ 'one', '--two' ]\n" });
    await leaveMark();
    expect(await bootstrap("build")).toMatchObject({ code: 0, stdout: "[]\n", stderr: "" });
    expect(await installedAgain()).toBe(false);
  });

  it("installs again when the lock has moved on", async () => {
    await bootstrap("build");
    const lockFile = join(clone, "package-lock.json");
    const lock = JSON.parse(await readFile(lockFile, "utf8"));
    const [linked] = Object.keys(lock.packages).filter((path) => path.endsWith("esbuild") && !lock.packages[path].link);
    lock.packages[linked ?? ""].version = "9.9.9";
    await writeFile(lockFile, JSON.stringify(lock));
    await leaveMark();
    await bootstrap("build");
    expect(await installedAgain()).toBe(true);
  });

  it("is content with an npm ci of the user's own", async () => {
    expect((await runCommand("npm", ["ci", "--offline"], { cwd: clone })).code).toBe(0);
    await leaveMark();
    expect((await bootstrap("build")).code).toBe(0);
    expect(await installedAgain()).toBe(false);
  });

  it("runs a changed script as it is now", async () => {
    await bootstrap("build");
    await writeFile(join(clone, "scripts", "build.ts"), 'console.log("changed");');
    expect((await bootstrap("build")).stdout).toBe("changed\n");
  });

  it("refuses an old Node in one line, before anything else", async () => {
    const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.18.9"})';
    const result = await bootstrap("--import", old, "build");
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toMatch(/^Kith needs Node 20\.19 or newer; this is 20\.18\.9\..*\n$/);
    await expect(stat(join(clone, "node_modules"))).rejects.toThrow("ENOENT");
  });

  it("names the commands when it does not know the one given", async () => {
    const result = await bootstrap("strat");
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/^Usage: .*start.*\n$/);
  });

  it("says why the packages could not be installed", async () => {
    await writeFile(join(clone, "package-lock.json"), "{ not JSON");
    const result = await bootstrap("build");
    expect(result.code).toBe(1);
    expect(result.stderr).not.toBe("");
  });

  it("says in one line that it cannot write", async () => {
    await writeFile(join(clone, "out"), "a file where the folder belongs");
    expect((await bootstrap("build")).stderr).toMatch(/(^|\n)E\w+: .*\bout\b.*\n$/);
  });

  it("prints a failure that is meant for a person as its sentence, and a defect with its stack", async () => {
    await bootstrap("build");
    const failing = (name: string) => `class E extends Error { name = "${name}" } throw new E("The disk is full.");`;
    await writeFile(join(clone, "scripts", "build.ts"), failing("Failure"));
    expect(await bootstrap("build")).toMatchObject({ code: 1, stderr: "The disk is full.\n" });
    await writeFile(join(clone, "scripts", "build.ts"), failing("TypeError"));
    expect((await bootstrap("build")).stderr).toMatch(/The disk is full\.\n\s+at .*build\.ts/);
  });
});
