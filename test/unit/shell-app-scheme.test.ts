import { join, sep } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { resolveFile } from "../../main/shell/app-scheme.ts";

const ROOT = join(sep, "opt", "kith", "renderer");

test("our own files are found", () => {
  expect(resolveFile(ROOT, "app://kith/")).toBe(join(ROOT, "index.html"));
  expect(resolveFile(ROOT, "app://kith/assets/index.js?x#y")).toBe(join(ROOT, "assets", "index.js"));
});

test.each([
  "app://kith/../../etc/passwd",
  "app://kith/%2e%2e/%2e%2e/etc/passwd",
  "app://kith/..%2f..%2fetc%2fpasswd",
  "app://kith/%00",
  "app://kith/%",
  "app://elsewhere/index.html",
  "file:///etc/passwd",
  "not a URL",
])("%s names nothing outside the app", (url) => {
  const file = resolveFile(ROOT, url);
  expect(file === null || file.startsWith(ROOT + sep)).toBe(true);
});

test("no path leaves the folder", () => {
  fc.assert(
    fc.property(fc.string(), (path) => {
      const file = resolveFile(ROOT, `app://kith/${path}`);
      return file === null || file.startsWith(ROOT + sep);
    }),
  );
});
