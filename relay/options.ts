/** The command line of a supernode, and its environment. */
import { isIP } from "node:net";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { z } from "zod";
import { HOST_PATTERN } from "../protocol/certificate.ts";
import { KithError } from "../protocol/errors.ts";

export const HELP = `Kith supernode: attach point, directory shard and router of one network.

Usage: npm run relay -- --login-server URL --enrolment-token TOKEN [options]

  --login-server URL       the network's login server (KITH_RELAY_LOGIN_SERVER)
  --enrolment-token TOKEN  what its host gave you to join with (KITH_RELAY_ENROLMENT_TOKEN)
  --data DIR               data folder: keys, certificate, supernode list (KITH_RELAY_DATA, default ./relay-data)
  --listen ADDRESS         address to listen on (KITH_RELAY_LISTEN, default 127.0.0.1; 0.0.0.0 for all)
  --host NAME              how others reach this machine: a name or a public address
                           (KITH_RELAY_HOST, default the address to listen on)
  --port N                 TCP port (KITH_RELAY_PORT, default 0: the one of the last time, or any free one)
  --drain-seconds N        how long attached nodes get to go elsewhere at SIGTERM (KITH_RELAY_DRAIN_SECONDS, default 10)
  --log-level LEVEL        silent, error, warn, info or debug: JSON lines on stderr (KITH_RELAY_LOG_LEVEL, default info)
  --help                   this text

Open the port in the firewall. The data folder is this supernode's identity: nobody else may read it.
`;

const NAMES = [
  "login-server",
  "enrolment-token",
  "data",
  "listen",
  "host",
  "port",
  "drain-seconds",
  "log-level",
] as const;

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, `a number from 0 to ${max} is needed`)
    .transform(Number)
    .refine((value) => value <= max, `a number from 0 to ${max} is needed`);

const Options = z
  .object({
    "login-server": z
      .string("the address of the login server is needed")
      .min(1, "the address of the login server is needed"),
    "enrolment-token": z
      .string("the token to join with is needed")
      .min(1, "the token to join with is needed")
      .max(256, "at most 256 characters"),
    data: z.string().min(1, "a folder is needed").default("relay-data"),
    listen: z
      .string()
      .refine((text) => isIP(text) !== 0, "an IP address is needed, such as 127.0.0.1 or 0.0.0.0")
      .default("127.0.0.1"),
    host: z.string().regex(HOST_PATTERN, "a host name or an IP address is needed").optional(),
    port: wholeNumber(65_535).default(0),
    "drain-seconds": wholeNumber(3_600).default(10),
    "log-level": z
      .enum(["silent", "error", "warn", "info", "debug"], "silent, error, warn, info or debug")
      .default("info"),
  })
  .transform((options) => ({ ...options, host: options.host ?? options.listen }))
  .refine(({ host }) => host !== "0.0.0.0" && host !== "::", {
    path: ["host"],
    message: "say how others reach this machine, since it listens on all its addresses",
  });

export type CommandLine =
  | { readonly kind: "help" }
  | { readonly kind: "run"; readonly options: z.infer<typeof Options> };

/**
 * @param environment where each option may also stand, as KITH_RELAY_ and its name in capitals.
 * @throws KithError `option-invalid`
 */
export function parseCommandLine(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const given = readArguments(args);
  if (given.help === true) return { kind: "help" };
  const raw = Object.fromEntries(NAMES.map((name) => [name, given[name] ?? environment[variable(name)] ?? undefined]));
  const parsed = Options.safeParse(raw);
  if (parsed.success) return { kind: "run", options: parsed.data };
  const issue = parsed.error.issues[0];
  throw new KithError("option-invalid", { option: `--${String(issue?.path[0])}`, why: issue?.message ?? "not valid" });
}

function readArguments(args: readonly string[]) {
  const options: ParseArgsConfig["options"] = { help: { type: "boolean", short: "h" } };
  for (const name of NAMES) options[name] = { type: "string" };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : "";
    throw new KithError("option-invalid", { option: "Command line", why });
  }
}

function variable(name: string): string {
  return `KITH_RELAY_${name.toUpperCase().replaceAll("-", "_")}`;
}
