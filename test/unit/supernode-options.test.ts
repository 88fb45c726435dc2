import { describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { HELP, parseCommandLine } from "../../relay/options.ts";

const NEEDED = ["--login-server", "https://kith.example.org", "--enrolment-token", "a-token"];

function refusalOf(args: readonly string[], environment = {}): string {
  try {
    parseCommandLine(args, environment);
    return "accepted";
  } catch (error) {
    return KithError.from(error).message;
  }
}

describe("the command line of the supernode", () => {
  it("needs no more than a login server and a token", () => {
    expect(parseCommandLine(NEEDED, {})).toMatchObject({
      kind: "run",
      options: {
        "login-server": "https://kith.example.org",
        "enrolment-token": "a-token",
        data: "relay-data",
        listen: "127.0.0.1",
        host: "127.0.0.1",
        port: 0,
        "drain-seconds": 60,
        "log-level": "info",
      },
    });
  });

  it("opens the status page for this machine alone, where it is told, or not at all", () => {
    const statusOf = (...args: string[]) => {
      const command = parseCommandLine([...NEEDED, ...args], {});
      return command.kind === "run" ? command.options["status-listen"] : undefined;
    };
    expect(statusOf()).toEqual({ host: "127.0.0.1", port: 0 });
    expect(statusOf("--status-listen", "10.1.2.3:9470")).toEqual({ host: "10.1.2.3", port: 9_470 });
    expect(statusOf("--status-listen", "[::1]:9470")).toEqual({ host: "::1", port: 9_470 });
    expect(statusOf("--status-listen", "off")).toBeNull();
    for (const wrong of ["9470", ":9470", "localhost:9470", "::1:9470", "[10.0.0.1]:1", "10.0.0.1:65536", "on"]) {
      expect(refusalOf([...NEEDED, "--status-listen", wrong]), wrong).toMatch(/--status-listen: an address and a port/);
    }
  });

  it("takes every option from the environment too, and prefers the command line", () => {
    const environment = {
      KITH_RELAY_LOGIN_SERVER: "https://one.example",
      KITH_RELAY_ENROLMENT_TOKEN: "from-environment",
      KITH_RELAY_DATA: "/srv/relay",
      KITH_RELAY_LISTEN: "0.0.0.0",
      KITH_RELAY_HOST: "relay.example.org",
      KITH_RELAY_PORT: "443",
      KITH_RELAY_DRAIN_SECONDS: "30",
      KITH_RELAY_LOG_LEVEL: "warn",
    };
    const fromEnvironment = parseCommandLine([], environment);
    expect(fromEnvironment).toMatchObject({ options: { host: "relay.example.org", port: 443, "drain-seconds": 30 } });
    expect(parseCommandLine(["--port", "80"], environment)).toMatchObject({ options: { port: 80 } });
  });

  it("names the option and the reason of a refusal", () => {
    expect(refusalOf([])).toMatch(/^--login-server: /);
    expect(refusalOf(NEEDED.slice(0, 2))).toMatch(/^--enrolment-token: /);
    expect(refusalOf([...NEEDED, "--port", "70000"])).toMatch(/^--port: .*65535/);
    expect(refusalOf([...NEEDED, "--port", "http"])).toMatch(/^--port: /);
    expect(refusalOf([...NEEDED, "--listen", "everywhere"])).toMatch(/^--listen: /);
    expect(refusalOf([...NEEDED, "--host", "a b"])).toMatch(/^--host: /);
    expect(refusalOf([...NEEDED, "--log-level", "loud"])).toMatch(/^--log-level: /);
    expect(refusalOf([...NEEDED, "--surprise"])).toMatch(/--surprise/);
    expect(refusalOf(["stray", ...NEEDED])).toMatch(/stray/);
  });

  it("wants to know how others reach a machine that listens on all its addresses", () => {
    expect(refusalOf([...NEEDED, "--listen", "0.0.0.0"])).toMatch(/^--host: /);
    expect(refusalOf([...NEEDED, "--listen", "0.0.0.0", "--host", "relay.example.org"])).toBe("accepted");
  });

  it("explains every option", () => {
    expect(parseCommandLine(["--help"], {})).toEqual({ kind: "help" });
    for (const name of [
      "login-server",
      "enrolment-token",
      "data",
      "listen",
      "host",
      "port",
      "drain-seconds",
      "log-level",
    ]) {
      expect(HELP).toContain(`--${name} `);
      expect(HELP).toContain(`KITH_RELAY_${name.toUpperCase().replaceAll("-", "_")}`);
    }
  });
});
