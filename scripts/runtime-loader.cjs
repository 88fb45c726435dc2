// @ts-check
"use strict";
/**
 * Packed as default_app.asar into the Electron that comes without one: does what that
 * archive does in an Electron release. `electron [-r FILE]... [flags] APP_FOLDER [arguments]`
 * loads the FILEs, then the app in APP_FOLDER under its own name and version.
 */
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join, resolve } = require("node:path");
const electron = require("electron");

/**
 * The two setters are missing in electron.d.ts; Electron's own default app is what they are for.
 * @typedef {{ setVersion(version: string): void, setAppPath(path: string): void }} DefaultAppOnly
 */
const app = /** @type {typeof electron.app & DefaultAppOnly} */ (electron.app);

Object.defineProperty(process, "defaultApp", { value: true, enumerable: true });

// Read first: a FILE of -r (Playwright's) may cut process.argv.
const given = process.argv.slice(1);
const requireHere = createRequire(join(process.cwd(), "electron"));
let folder = "";
for (let i = 0; i < given.length && folder === ""; i++) {
  const argument = given[i] ?? "";
  if (argument === "-r" || argument === "--require") requireHere(given[++i] ?? "");
  else if (!argument.startsWith("-")) folder = resolve(argument);
}
if (folder === "") {
  process.stderr.write("electron: name the folder of an app\n");
  app.exit(1);
} else {
  const description = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  app.setName(description.productName ?? description.name);
  app.setVersion(description.version);
  app.setAppPath(folder);
  require(join(folder, description.main));
}
