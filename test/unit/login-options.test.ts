import { expect, test } from "vitest";
import { HELP, parseCommandLine } from "../../login-server/options.ts";
import { KithError } from "../../protocol/errors.ts";

const PUBLIC_URL = ["--public-url", "https://login.example.org"];

function optionsOf(args: string[], environment: Record<string, string> = {}) {
  const command = parseCommandLine(args, environment);
  if (command.kind !== "run") throw new Error("help was not asked for");
  return command.options;
}

function refusal(args: string[], environment: Record<string, string> = {}): string {
  try {
    parseCommandLine(args, environment);
  } catch (error) {
    if (error instanceof KithError && error.code === "option-invalid") return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

test("without options it listens on loopback and takes members by invitation", () => {
  expect(optionsOf([])).toEqual({
    data: "login-data",
    listen: "127.0.0.1",
    port: 7440,
    name: "Kith",
    registration: "invitation",
    "desktop-supernodes": 0,
    "log-level": "info",
  });
});

test("every option can be given on the command line", () => {
  const args = [
    "--data",
    "/srv/kith",
    "--database",
    "postgres://kith:secret@db/kith",
    "--listen",
    "::",
    "--port",
    "0",
    "--name",
    "Chess club",
  ];
  args.push("--registration=closed", "--enrolment-token", "0123456789abcdef", "--log-level", "debug");
  args.push("--desktop-supernodes", "50");
  args.push("--tls-cert", "chain.pem", "--tls-key", "key.pem", "--behind-proxy", "127.0.0.1, 10.0.0.0/8,fd00::/8");
  args.push(
    "--public-url",
    "https://kith.example/",
    "--download-url",
    "https://kith.example/get",
    "--metrics",
    "[::1]:9464",
  );
  expect(optionsOf(args)).toEqual({
    data: "/srv/kith",
    database: "postgres://kith:secret@db/kith",
    listen: "::",
    port: 0,
    name: "Chess club",
    registration: "closed",
    "public-url": "https://kith.example",
    "download-url": "https://kith.example/get",
    "tls-cert": "chain.pem",
    "tls-key": "key.pem",
    "behind-proxy": ["127.0.0.1", "10.0.0.0/8", "fd00::/8"],
    metrics: { host: "::1", port: 9464 },
    "enrolment-token": "0123456789abcdef",
    "desktop-supernodes": 50,
    "log-level": "debug",
  });
});

test("every option is in the help, with its variable, and the variable works", () => {
  const values = {
    data: "/srv/kith",
    database: "postgresql://kith@db:5432/kith",
    redis: "redis://cache:6379",
    listen: "127.0.0.2",
    port: "81",
    name: "Chess club",
    registration: "closed",
    "enrolment-token": "0123456789abcdef",
    "log-level": "warn",
  };
  for (const [name, value] of Object.entries(values)) {
    const variable = `KITH_LOGIN_${name.toUpperCase().replace("-", "_")}`;
    expect(HELP).toContain(`--${name}`);
    expect(HELP).toContain(variable);
    expect(optionsOf([], { [variable]: value })).toMatchObject({ [name]: name === "port" ? 81 : value });
  }
});

test("other machines are let in with a certificate, or through a proxy that is named", () => {
  const proxied = ["--listen", "0.0.0.0", "--behind-proxy", "10.0.0.1", ...PUBLIC_URL];
  const certified = ["--listen", "0.0.0.0", "--tls-cert", "chain.pem", "--tls-key", "key.pem", ...PUBLIC_URL];
  for (const args of [proxied, certified]) expect(optionsOf(args).listen).toBe("0.0.0.0");
});

test("the command line goes before the environment", () => {
  expect(optionsOf(["--port", "1"], { KITH_LOGIN_PORT: "2" }).port).toBe(1);
});

test.each([
  [["--port", "x"], "--port"],
  [["--port", "65536"], "--port"],
  [["--port", "-1"], "port"],
  [["--listen", "everywhere"], "--listen"],
  [["--registration", "maybe"], "--registration"],
  [["--database", "mysql://db/kith"], "--database"],
  [["--database", "postgres://db"], "--database"],
  [["--redis", "cache:6379"], "--redis"],
  [["--listen", "0.0.0.0"], "--behind-proxy"],
  [["--behind-proxy", "10.0.0.1"], "--public-url"],
  [["--listen", "::", "--tls-cert", "chain.pem", "--tls-key", "key.pem"], "--public-url"],
  [["--tls-cert", "chain.pem"], "--tls-key"],
  [["--tls-key", "key.pem"], "--tls-cert"],
  [["--behind-proxy", "nginx"], "--behind-proxy"],
  [["--behind-proxy", "10.0.0.0/33"], "--behind-proxy"],
  [["--public-url", "javascript:alert(1)"], "--public-url"],
  [["--download-url", 'https://x/"><script>'], "--download-url"],
  [["--metrics", "9464"], "--metrics"],
  [["--enrolment-token", "short"], "--enrolment-token"],
  [["--data", ""], "--data"],
  [["--name", "   "], "--name"],
  [["--no-such-option"], "no-such-option"],
  [["positional"], "positional"],
])("%j is refused in one line that names it", (args, named) => {
  const message = refusal(args);
  expect(message).toContain(named);
  expect(message).not.toContain("\n");
});

test("a token that is refused is not repeated in the refusal", () => {
  expect(refusal(["--enrolment-token", "short"])).not.toContain("short");
});

test("help wins over everything else", () => {
  expect(parseCommandLine(["--help", "--port", "x"], {})).toEqual({ kind: "help" });
});
