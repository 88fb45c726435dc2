/** The command line of the login server, and its environment. */
import { isIP } from "node:net";
import { z } from "zod";
import { type CommandLine, type Environment, readCommandLine } from "../protocol/command-line.ts";
import { KithError } from "../protocol/errors.ts";
import { RegistrationMode } from "../protocol/login-api.ts";
import { isAddressRange } from "./http/client-address.ts";

export const HELP = `Kith login server: accounts, certificates, buddy lists and the supernode list of one network.

Usage: npm run login-server -- [options]

  --data DIR               data folder: keys and database (KITH_LOGIN_DATA, default ./login-data)
  --database URL           postgres://user:password@host:port/name; without it SQLite in the data folder
                           (KITH_LOGIN_DATABASE)
  --redis URL              redis://host:port, for several instances that share a PostgreSQL (KITH_LOGIN_REDIS)
  --listen ADDRESS         address to listen on (KITH_LOGIN_LISTEN, default 127.0.0.1)
  --port N                 port, 0 for any free one (KITH_LOGIN_PORT, default 7440)
  --name NAME              what people see as the name of the network (KITH_LOGIN_NAME, default Kith)
  --registration MODE      who becomes a member: invitation, open, approval or closed
                           (KITH_LOGIN_REGISTRATION, default invitation)
  --public-url URL         how others reach it, for invitation links (KITH_LOGIN_PUBLIC_URL)
  --download-url URL       where the page of an invitation offers the app (KITH_LOGIN_DOWNLOAD_URL)
  --tls-cert FILE          certificate chain in PEM, read again when it changes (KITH_LOGIN_TLS_CERT)
  --tls-key FILE           its private key (KITH_LOGIN_TLS_KEY)
  --behind-proxy LIST      plain HTTP for these proxies alone: addresses or CIDR ranges, with commas
                           (KITH_LOGIN_BEHIND_PROXY)
  --metrics HOST:PORT      Prometheus metrics on an address of their own (KITH_LOGIN_METRICS)
  --enrolment-token TOKEN  what supernodes enrol with (KITH_LOGIN_ENROLMENT_TOKEN; without it, the one
                           that was drawn for network-keys.json in the data folder)
  --desktop-supernodes N   how many members' desktop apps may be supernodes, if their users agree
                           (KITH_LOGIN_DESKTOP_SUPERNODES, default 0: none)
  --log-level LEVEL        silent, error, warn, info or debug: JSON lines on stderr (KITH_LOGIN_LOG_LEVEL, default info)
  --help                   this text

Without a certificate it listens on loopback only, unless --behind-proxy says who stands before it.
Running it: npm run login-server -- admin --help

Backing it up:  npm run login-server -- backup --help
`;

const DEFAULT_PORT = "7440";
const MIN_TOKEN_LENGTH = 16;

const webAddress = z
  .string()
  .refine(
    (text) => /^https?:\/\/[^\s"<>]+$/.test(text) && URL.canParse(text),
    "an address such as https://login.example.org is needed",
  );

function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text) && new URL(text).pathname.length > 1;
}

const Options = z.object({
  data: z.string().min(1, "a folder is needed").default("login-data"),
  database: z
    .string()
    .refine(isPostgresUrl, "an address like postgres://user:password@host:5432/kith is needed")
    .optional(),
  redis: z
    .string()
    .refine((text) => /^rediss?:\/\//.test(text) && URL.canParse(text), "an address like redis://host:6379 is needed")
    .optional(),
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
  registration: z.enum(RegistrationMode.options, "invitation, open, approval or closed").default("invitation"),
  "public-url": webAddress.transform((text) => new URL(text).origin).optional(),
  "download-url": webAddress.optional(),
  "tls-cert": z.string().min(1, "a file is needed").optional(),
  "tls-key": z.string().min(1, "a file is needed").optional(),
  "behind-proxy": z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .refine((parts) => parts.every(isAddressRange), "addresses or CIDR ranges are needed, such as 127.0.0.1,10.0.0.0/8")
    .optional(),
  metrics: z
    .string()
    .transform(parseHostPort)
    .refine((place) => place !== null, "an address and a port are needed, such as 127.0.0.1:9464")
    .optional(),
  "enrolment-token": z
    .string()
    .min(MIN_TOKEN_LENGTH, `at least ${MIN_TOKEN_LENGTH} characters, drawn at random`)
    .max(256, "at most 256 characters")
    .optional(),
  "desktop-supernodes": z
    .string()
    .regex(/^\d{1,4}$/, "a number from 0 to 2000 is needed")
    .default("0")
    .transform(Number)
    .refine((count) => count <= 2_000, "a number from 0 to 2000 is needed"),
  "log-level": z
    .enum(["silent", "error", "warn", "info", "debug"], "silent, error, warn, info or debug")
    .default("info"),
});
export type ServerOptions = z.infer<typeof Options>;

/**
 * @param environment where each option may also stand, as KITH_LOGIN_ and its name in capitals.
 * @throws KithError `option-invalid`
 */
export function parseCommandLine(args: readonly string[], environment: Environment): CommandLine<ServerOptions> {
  const form = { names: Object.keys(Options.shape), schema: Options, prefix: "KITH_LOGIN_" };
  const command = readCommandLine(form, args, environment);
  return command.kind === "run" ? { kind: "run", options: requireSafety(command.options) } : command;
}

/** What goes over the network in the clear goes over this machine's own only, or to a proxy that was named. */
function requireSafety(options: ServerOptions): ServerOptions {
  const certificate = options["tls-cert"];
  if ((certificate === undefined) !== (options["tls-key"] === undefined)) {
    const missing = certificate === undefined ? "--tls-cert" : "--tls-key";
    throw new KithError("option-invalid", { option: missing, why: "certificate and key come together" });
  }
  if (certificate === undefined && options["behind-proxy"] === undefined && !isLoopback(options.listen)) {
    throw new KithError("option-invalid", {
      option: "--listen",
      why: `${options.listen} is open to other machines: give --tls-cert and --tls-key, or name the proxy before it with --behind-proxy`,
    });
  }
  const isElsewhere = options["behind-proxy"] !== undefined || /^(0\.0\.0\.0|::)$/.test(options.listen);
  if (isElsewhere && options["public-url"] === undefined) {
    throw new KithError("option-invalid", {
      option: "--public-url",
      why: "invitation links need the address that others reach it by, such as https://login.example.org",
    });
  }
  return options;
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

function parseHostPort(text: string): { readonly host: string; readonly port: number } | null {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  return isIP(host) !== 0 && Number(port) <= 65_535 ? { host, port: Number(port) } : null;
}
