import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DataFolder } from "../../scripts/data-folder.ts";

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

it("belongs to one run at a time", async () => {
  // Another process that is alive: the one that runs this test's process.
  await writeFile(join(folder, "running"), String(process.ppid));
  await expect(DataFolder.open(folder)).rejects.toThrow(`It runs already, as process ${process.ppid}.`);
});

it("is taken over from a run that was killed", async () => {
  // Above the largest process ID that Linux gives out.
  await writeFile(join(folder, "running"), "4194305");
  const data = await DataFolder.open(folder);
  expect(await readFile(join(folder, "running"), "utf8")).toBe(String(process.pid));
  await data.close();
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
