/** The command line of the login server, and its environment. */
import { isIP } from "node:net";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { z } from "zod";
import { KithError } from "../protocol/errors.ts";

export const HELP = `Kith login server: accounts, certificates, buddy lists and the supernode list of one network.

Usage: npm run login-server -- [options]

  --data DIR               data folder: keys and database (KITH_LOGIN_DATA, default ./login-data)
  --listen ADDRESS         address to listen on (KITH_LOGIN_LISTEN, default 127.0.0.1)
  --port N                 port, 0 for any free one (KITH_LOGIN_PORT, default 7440)
  --name NAME              what people see as the name of the network (KITH_LOGIN_NAME, default Kith)
  --registration MODE      open or closed (KITH_LOGIN_REGISTRATION, default open)
  --enrolment-token TOKEN  what supernodes enrol with (KITH_LOGIN_ENROLMENT_TOKEN; without it, the one
                           that was drawn for network-keys.json in the data folder)
  --log-level LEVEL        silent, error, warn, info or debug: JSON lines on stderr (KITH_LOGIN_LOG_LEVEL, default info)
  --help                   this text

Back up the whole data folder. Whoever has network-keys.json is the network.
`;

const DEFAULT_PORT = "7440";
const MIN_TOKEN_LENGTH = 16;

const Options = z.object({
  data: z.string().min(1, "a folder is needed").default("login-data"),
  listen: z
    .string()
    .refine((text) => isIP(text) !== 0, "an IP address is needed, such as 127.0.0.1 or 0.0.0.0")
    .default("127.0.0.1"),
  port: z
    .string()
    .regex(/^\d{1,5}$/, "a number from 0 to 65535 is needed")
    .default(DEFAULT_PORT)
    .transform(Number)
    .refine((port) => port <= 65_535, "a number from 0 to 65535 is needed"),
  name: z.string().trim().min(1, "a name is needed").max(253, "at most 253 characters").default("Kith"),
  registration: z.enum(["open", "closed"], "open or closed").default("open"),
  "enrolment-token": z
    .string()
    .min(MIN_TOKEN_LENGTH, `at least ${MIN_TOKEN_LENGTH} characters, drawn at random`)
    .max(256, "at most 256 characters")
    .optional(),
  "log-level": z
    .enum(["silent", "error", "warn", "info", "debug"], "silent, error, warn, info or debug")
    .default("info"),
});
export type CommandLine =
  | { readonly kind: "help" }
  | { readonly kind: "run"; readonly options: z.infer<typeof Options> };

const NAMES = ["data", "listen", "port", "name", "registration", "enrolment-token", "log-level"] as const;

/**
 * @param environment where each option may also stand, as KITH_LOGIN_ and its name in capitals.
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
  return `KITH_LOGIN_${name.toUpperCase().replaceAll("-", "_")}`;
}
