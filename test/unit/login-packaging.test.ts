import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ADMIN_HELP } from "../../login-server/administration/admin-cli.ts";
import { BACKUP_HELP } from "../../login-server/backup-commands.ts";
import { HELP, parseCommandLine } from "../../login-server/options.ts";
import { HELP as RELAY_HELP } from "../../relay/options.ts";
import { root } from "../../scripts/repository.ts";

const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
const variablesOf = (text: string) => [...new Set(text.match(/KITH_(LOGIN|RELAY)_[A-Z0-9_]+/g) ?? [])];

test.each(["kith-login.env", "kith-login.service", "login-server.Dockerfile", "compose.yml"])(
  "%s sets no option that there is not",
  (file) => {
    const variables = variablesOf(read("packaging", file));
    expect(variables.length).toBeGreaterThan(0);
    for (const variable of variables) {
      const option = variable
        .replace(/^KITH_(LOGIN|RELAY)_/, "")
        .toLowerCase()
        .replaceAll("_", "-");
      expect(variable.startsWith("KITH_LOGIN_") ? HELP : RELAY_HELP).toContain(`--${option}`);
    }
  },
);

test("the example of a service's options is one that the server takes", () => {
  const lines = read("packaging", "kith-login.env").split("\n");
  const settings = lines.filter((line) => /^KITH_/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2));
  expect(parseCommandLine([], Object.fromEntries(settings) as Record<string, string>)).toMatchObject({ kind: "run" });
});

/** Names at the first level below a top-level key of the compose file. */
function namesUnder(key: string, text: string): string[] {
  const [, block = ""] = new RegExp(`^${key}:\\n((?:[ #].*\\n|\\n)*)`, "m").exec(text) ?? [];
  return [...block.matchAll(/^ {2}([a-z0-9-]+):/gm)].map(([, name]) => String(name));
}

test("the compose file holds a whole network, and names nothing that it does not declare", () => {
  const compose = read("packaging", "compose.yml");
  expect(namesUnder("services", compose).sort()).toEqual(
    ["caddy", "login-server", "postgres", "redis", "supernode-1", "supernode-2"].sort(),
  );
  const used = [...compose.matchAll(/volumes: \["([a-z0-9-]+):/g)].map(([, name]) => String(name));
  expect(used.sort()).toEqual(namesUnder("volumes", compose).sort());
  const example = read("packaging", "compose.env");
  for (const [, variable] of compose.matchAll(/\$\{(KITH_[A-Z_]+)[:}]/g)) expect(example).toContain(`${variable}=`);
});

test("what the host's manual says to type is there", () => {
  const manual = read("docs", "host.md");
  const typed = manual
    .split("\n")
    .filter((line) => /(kith-login-server|login-server --|^\| `--)/.test(line) && !/docker/.test(line));
  expect(typed.length).toBeGreaterThan(8);
  for (const [, option] of typed.join("\n").matchAll(/ `?(--[a-z][a-z-]+)/g)) {
    expect(HELP + ADMIN_HELP + BACKUP_HELP).toContain(String(option));
  }
  for (const [, file] of manual.matchAll(/\(\.\.\/(packaging\/[^)]+)\)/g)) expect(read(String(file))).not.toBe("");
});
