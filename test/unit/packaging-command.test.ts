/** What hosts copy does what it says: units, compose file, the command. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import * as login from "../../login-server/options.ts";
import * as relay from "../../relay/options.ts";
import { root } from "../../scripts/repository.ts";

const PACKAGING = join(root, "packaging");
const folder = mkdtempSync(join(tmpdir(), "kith-packaging-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => readFileSync(join(PACKAGING, name), "utf8");

/** The options that the compose file gives, its variables filled in. */
function optionsOfCompose(prefix: string): Record<string, string> {
  const filled = { KITH_HOST: "login.example.org", KITH_NAME: "Club", KITH_REGISTRATION: "invitation" };
  const secret = "0123456789abcdef0123456789abcdef";
  const lines = file("compose.yml").matchAll(new RegExp(`^ +(${prefix}[A-Z_]+): "?(.*?)"?$`, "gm"));
  return Object.fromEntries(
    [...lines].map(([, name, value]) => [
      name,
      value?.replace(/\$\{(\w+)[^}]*\}/g, (_, variable: string) =>
        Object.hasOwn(filled, variable) ? filled[variable as keyof typeof filled] : secret,
      ),
    ]),
  );
}

test("both take what the compose file gives them", () => {
  const image = { KITH_LOGIN_DATA: "/data", KITH_LOGIN_LISTEN: "0.0.0.0", KITH_LOGIN_PORT: "7440" };
  expect(login.parseCommandLine([], { ...image, ...optionsOfCompose("KITH_LOGIN_") })).toMatchObject({ kind: "run" });
  expect(relay.parseCommandLine([], optionsOfCompose("KITH_RELAY_"))).toMatchObject({ kind: "run" });
});

test("systemd understands both units", (context) => {
  if (spawnSync("systemd-analyze", ["--version"]).error) return context.skip("there is no systemd-analyze");
  const units = ["kith-login.service", "kith-relay@.service"].map((name) => {
    const path = join(folder, name.replace("@", "@sn1"));
    const here = file(name).replaceAll("/opt/kith", root).replace("User=kith-login", "User=root");
    writeFileSync(path, here.replace("ExecStart=node ", `ExecStart=${process.execPath} `));
    return path;
  });
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...units], { encoding: "utf8" });
  expect(stderr.split("\n").filter((line) => line.includes("kith-"))).toEqual([]);
  expect(status).toBe(0);
});

test("the command runs the network with the service's options, unless others are given", () => {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "node"), "#!/bin/sh\nprintenv KITH_LOGIN_DATA KITH_LOGIN_NAME KITH_LOGIN_DATABASE\n", {
    mode: 0o755,
  });
  const options = join(folder, "options.env");
  writeFileSync(
    options,
    'KITH_LOGIN_NAME="Example club"\n# KITH_LOGIN_DATA=/no\nKITH_LOGIN_DATABASE=postgres://k:a=b#c@h/k\n',
  );
  const command = join(folder, "kith-login-server");
  copyFileSync(join(PACKAGING, "kith-login-server"), command);
  const run = (args: string[], environment = {}) => {
    const env = { PATH: `${bin}:${process.env.PATH}`, KITH_LOGIN_OPTIONS_FILE: options, ...environment };
    return spawnSync("sh", [command, ...args], { env, encoding: "utf8" })
      .stdout.trim()
      .split("\n");
  };
  expect(run(["admin", "users"])).toEqual(["/var/lib/kith-login", "Example club", "postgres://k:a=b#c@h/k"]);
  expect(run(["backup", "x"], { KITH_LOGIN_NAME: "Ours" })[1]).toBe("Ours");
  expect(run(["admin", "users"], { KITH_LOGIN_DATA: "/elsewhere" })).toEqual(["/elsewhere"]);
  // A server that is started by hand is not the service.
  expect(run([])).toEqual([""]);
});
