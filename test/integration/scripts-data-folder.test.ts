import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DataFolder } from "../../scripts/data-folder.ts";
import { root } from "../../scripts/repository.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-data-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("keeps its settings from one start to the next, for this user's eyes only", async () => {
  const first = await DataFolder.open(join(folder, "new", "one"));
  first.settings.loginServerPort = 4_321;
  await first.save();
  await first.close();
  const second = await DataFolder.open(first.path);
  expect(second.settings).toEqual(first.settings);
  expect(second.settings.enrolmentToken.length).toBeGreaterThanOrEqual(24);
  await second.close();
});

it("belongs to one run at a time, and to nobody once that one was killed", async () => {
  const program = `
    import Database from "libsql";
    new Database(process.argv[1]).exec("BEGIN EXCLUSIVE");
    console.log("held");
    setInterval(() => {}, 1000);`;
  const args = ["--input-type=module", "--eval", program, join(folder, "lock")];
  const other = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  await once(other.stdout, "data");
  await expect(DataFolder.open(folder)).rejects.toThrow(`${folder} is in use: it runs already.`);
  other.kill("SIGKILL");
  await once(other, "exit");
  await (await DataFolder.open(folder)).close();
});

it("that is damaged is named and left as it is", async () => {
  await writeFile(join(folder, "network.json"), "{ nonsense");
  await expect(DataFolder.open(folder)).rejects.toThrow(`${folder} cannot be used`);
  expect(await readFile(join(folder, "network.json"), "utf8")).toBe("{ nonsense");
});

it("that cannot be made is named", async () => {
  await writeFile(join(folder, "file"), "");
  await chmod(join(folder, "file"), 0o600);
  await expect(DataFolder.open(join(folder, "file", "data"))).rejects.toThrow(/data cannot be used: ENOTDIR/);
});
