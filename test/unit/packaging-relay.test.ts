import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exitStatusOf } from "../../relay/exit-status.ts";
import { parseCommandLine } from "../../relay/options.ts";

const read = (name: string) => readFileSync(join(import.meta.dirname, "../../packaging", name), "utf8");

function assignments(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(KITH_RELAY_[A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]));
}

describe("what is packaged for operators", () => {
  it("starts a supernode with the options of the example file, every one of which exists", () => {
    const environment = assignments(read("kith-relay.env"));
    const command = parseCommandLine([], environment);
    expect(command).toMatchObject({
      kind: "run",
      options: { port: 443, "status-listen": { host: "127.0.0.1", port: 9_470 }, "relay-month-gb": 500 },
    });
    const known = Object.keys(command.kind === "run" ? command.options : {});
    for (const name of Object.keys({ ...environment, ...assignments(read("relay.Dockerfile")) })) {
      expect(known).toContain(name.replace("KITH_RELAY_", "").toLowerCase().replaceAll("_", "-"));
    }
  });

  it("gives each instance of the unit its own options and data folder", () => {
    const unit = read("kith-relay@.service");
    expect(unit).toContain("EnvironmentFile=/etc/kith-relay/%i.env");
    expect(unit).toContain("StateDirectory=kith-relay/%i");
    expect(unit).toContain("Environment=KITH_RELAY_DATA=%S/kith-relay/%i");
  });

  it("lets the supernode drain before systemd kills it", () => {
    const drainSeconds = Number(assignments(read("kith-relay.env")).KITH_RELAY_DRAIN_SECONDS);
    const [, stopSeconds] = /TimeoutStopSec=(\d+)/.exec(read("kith-relay@.service")) ?? [];
    expect(Number(stopSeconds)).toBeGreaterThan(drainSeconds + 5);
  });

  it("is not started again and again once the network has removed it, but after anything else", () => {
    const [, status] = /^RestartPreventExitStatus=(\d+)$/m.exec(read("kith-relay@.service")) ?? [];
    expect(exitStatusOf("supernode-removed")).toBe(Number(status));
    expect(exitStatusOf("login-server-unreachable")).toBe(1);
  });
});
