import { expect, it } from "vitest";
import { findUnlocked, LockFile } from "../../scripts/lock-file.ts";

const lock = (packages: Record<string, { optionalDependencies?: Record<string, string> }>) =>
  findUnlocked(LockFile.parse({ lockfileVersion: 3, packages }));
const wants = { optionalDependencies: { "@x/win32": "1.2.3" } };

it("complains about an optional package that the lock leaves out", () => {
  expect(lock({ "": {}, "node_modules/x": wants })).toEqual([
    "package-lock.json lacks @x/win32 1.2.3, wanted by node_modules/x: npm ci will fail",
  ]);
});

it("finds the package beside, above and inside the one that wants it", () => {
  expect(lock({ "node_modules/x": wants, "node_modules/@x/win32": {} })).toEqual([]);
  expect(lock({ "node_modules/a/node_modules/x": wants, "node_modules/a/node_modules/@x/win32": {} })).toEqual([]);
  expect(lock({ "node_modules/@a/b": wants, "node_modules/@a/b/node_modules/@x/win32": {} })).toEqual([]);
});

it("does not take another package's own copy for it", () => {
  expect(lock({ "node_modules/x": wants, "node_modules/y/node_modules/@x/win32": {} })).toHaveLength(1);
});
