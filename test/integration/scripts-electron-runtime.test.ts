import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findRuntime } from "../../scripts/electron-runtime.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-override-"));
});
afterEach(() => rm(folder, { recursive: true }));

it.runIf(process.platform === "linux")("the runtime that the user names comes before all others", async () => {
  await writeFile(join(folder, "electron"), "");
  await writeFile(join(folder, "version"), "v99.1.2\n");
  expect(await findRuntime({ ELECTRON_OVERRIDE_DIST_PATH: folder })).toEqual({
    executable: join(folder, "electron"),
    folder,
    version: "99.1.2",
    source: "override",
  });
});

it("a runtime that the user names and that is not there is not replaced by another in silence", async () => {
  await expect(findRuntime({ ELECTRON_OVERRIDE_DIST_PATH: folder })).rejects.toThrow(
    `There is no Electron at ${folder}`,
  );
});
