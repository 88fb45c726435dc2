import { describe, expect, it } from "vitest";
import { findViolations } from "../../scripts/layers.ts";

/** The rules broken by one file, the line first. */
function broken(file: string, source: string): string[] {
  return findViolations(new Map([[file, source]])).map(({ line, rule }) => `${line}: ${rule}`);
}

describe("who imports whom", () => {
  it.each([
    ["relay/x.ts", "../main/core/y.ts", "relay must not import main"],
    ["main/core/x.ts", "../../login-server/y.ts", "main must not import login-server"],
    ["login-server/storage/x.ts", "../../relay/y.ts", "login-server must not import relay"],
    ["renderer/app/x.tsx", "../../main/core/y.ts", "renderer must not import main"],
    ["protocol/x.ts", "../relay/y.ts", "protocol must not import relay"],
    ["relay/x.ts", "../test/support/y.ts", "relay must not import test"],
    ["scripts/x.ts", "../test/support/y.ts", "scripts must not import test"],
    ["main/shell/x.ts", "../../scripts/y.ts", "main must not import scripts"],
    ["main/calls/x.ts", "../shell/y.ts", "the client core must not import the shell"],
    ["main/core/x.ts", "electron", "only main/shell imports electron"],
    ["main/storage/x.ts", "electron-log/main", "only main/shell imports electron-log/main"],
    ["renderer/x.ts", "electron", "only main/shell imports electron"],
    ["scripts/x.ts", "electron", "only main/shell imports electron"],
  ])("catches that %s imports %s", (file, specifier, rule) => {
    expect(broken(file, `import { y } from "${specifier}";`)).toEqual([expect.stringContaining(rule)]);
  });

  it.each([
    ['import type { Y } from "../main/y.ts";'],
    ['import "../main/y.ts";'],
    ['export { y } from "../main/y.ts";'],
    ['export * from "../main/y.ts";'],
    ['const y = await import("../main/y.ts");'],
    ['let y: import("../main/y.ts").Y;'],
    ['let y: typeof import("../main/y.ts");'],
    ['const y = require("../main/y.ts");'],
    ['import y = require("../main/y.ts");'],
  ])("sees a module named as in %s, and says on which line", (source) => {
    expect(broken("relay/x.ts", `// a line before\n${source}`)).toEqual([
      "2: relay must not import main (../main/y.ts)",
    ]);
  });

  it("does not take text in a string or a comment for an import", () => {
    expect(broken("relay/x.ts", 'const s = "import y from \'../main/y.ts\'"; // import "../main/y.ts"')).toEqual([]);
  });

  it.each([
    ["main/core/x.ts", "../../protocol/y.ts"],
    ["relay/turn/x.ts", "../y.ts"],
    ["main/shell/x.ts", "../core/y.ts"],
    ["main/core/x.ts", "../calls/y.ts"],
    ["main/shell/x.ts", "electron"],
    ["scripts/x.ts", "../main/core/y.ts"],
    ["test/unit/x.ts", "../../scripts/y.ts"],
    ["test/e2e/x.ts", "electron"],
    ["relay/x.ts", "node:net"],
    ["relay/x.ts", "zod"],
  ])("lets %s import %s", (file, specifier) => {
    expect(broken(file, `import "${specifier}";`)).toEqual([]);
  });

  it("lets one file import simple-peer and catches the second", () => {
    const sources = new Map([
      ["renderer/media/a.ts", 'import Peer from "simple-peer";'],
      ["renderer/media/b.ts", 'import Peer from "simple-peer/simplepeer.min.js";'],
      ["test/unit/c.ts", 'import Peer from "simple-peer";'],
    ]);
    expect(findViolations(sources).map(({ file }) => file)).toEqual(["renderer/media/b.ts"]);
  });

  it("says which file cannot be parsed", () => {
    expect(() => broken("relay/x.ts", "import {")).toThrow("relay/x.ts cannot be parsed");
  });

  it("finds files that import one another, types included, and shows the smallest circle", () => {
    const sources = new Map([
      ["relay/a.ts", 'import { b } from "./b.ts";'],
      ["relay/b.ts", 'import { c } from "./turn/c.ts"; import type { D } from "./d.ts";'],
      ["relay/turn/c.ts", 'import { d } from "../d.ts";'],
      ["relay/d.ts", 'import type { A } from "./a.ts";'],
      ["relay/e.ts", 'import { a } from "./a.ts"; import { f } from "./f.ts";'],
      ["relay/f.ts", ""],
    ]);
    expect(findViolations(sources).map(({ rule }) => rule)).toEqual([
      "imports in a circle: relay/a.ts → relay/b.ts → relay/d.ts → relay/a.ts",
    ]);
  });
});
