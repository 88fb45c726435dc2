/** The login server as a process: options in, one line out, signals handled. */
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { KithError } from "../protocol/errors.ts";
import { readable } from "../protocol/network-key.ts";
import { administrate } from "./administration/admin-cli.ts";
import { runBackupCommand } from "./backup-commands.ts";
import { KEYS_FILE } from "./data-folder.ts";
import { HELP, parseCommandLine, type ServerOptions } from "./options.ts";
import { type LoginServer, type LoginServerOptions, startLoginServer } from "./server.ts";
import { serverLog } from "./server-log.ts";

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  if (args[0] === "admin") return administrate(args.slice(1), process.env, say);
  if (args[0] === "backup" || args[0] === "restore") {
    return runBackupCommand(args[0], args.slice(1), process.env, say);
  }
  const command = parseCommandLine(args, process.env);
  if (command.kind === "help") {
    return say(HELP);
  }
  await serve(command.options);
}

/** Names the program as it was called: by npm in a copy of the repository, or as the command that a host has installed. */
function say(text: string): void {
  const isByNpm = process.env.npm_lifecycle_event !== undefined;
  process.stdout.write(isByNpm ? text : text.replaceAll("npm run login-server --", "kith-login-server"));
}

async function serve(options: ServerOptions): Promise<void> {
  const log = serverLog(options["log-level"], pino.destination({ dest: 2, sync: true }));
  const server = await startLoginServer(startOptions(options, log));
  const stop = () => {
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  // Started by another process that has gone: nobody would end this one.
  if (process.send) process.once("disconnect", stop);
  process.stdout.write(greeting(options, server));
  process.send?.({ kind: "ready", url: server.url, port: server.port, networkId: server.networkId });
}

function startOptions(options: ServerOptions, log: Logger): LoginServerOptions {
  const { "tls-cert": cert, "tls-key": key, "behind-proxy": proxies, metrics } = options;
  return {
    dataFolder: options.data,
    ...(options.database !== undefined && { database: options.database }),
    ...(options.redis !== undefined && { redis: options.redis }),
    listen: options.listen,
    port: options.port,
    name: options.name,
    registration: options.registration,
    desktopSupernodes: options["desktop-supernodes"],
    ...(options["public-url"] !== undefined && { publicUrl: options["public-url"] }),
    ...(options["download-url"] !== undefined && { downloadUrl: options["download-url"] }),
    ...(options["enrolment-token"] !== undefined && { enrolmentToken: options["enrolment-token"] }),
    ...(cert !== undefined && key !== undefined && { tls: { cert, key } }),
    ...(proxies !== undefined && { proxies }),
    ...(metrics && { metrics }),
    log,
  };
}

/** What a host has to know; the invitation is said here and never again. */
function greeting(options: ServerOptions, server: LoginServer): string {
  const publicUrl = options["public-url"] ?? server.url;
  const lines = [
    `Login server of ${options.name} at ${publicUrl === server.url ? "" : `${publicUrl}, here `}${server.url}`,
    `Fingerprint of the network: ${readable(server.fingerprint)}`,
    `Registration: ${options.registration}. Data in ${options.data}: back up all of it.`,
  ];
  if (options["enrolment-token"] === undefined) {
    lines.push(`Supernodes enrol with the token in ${join(options.data, KEYS_FILE)}, or the one that has replaced it`);
  }
  if (server.metricsUrl) lines.push(`Metrics at ${server.metricsUrl}`);
  if (server.firstInvitation) {
    lines.push(
      "",
      "Whoever opens this link first becomes the administrator; it is good for one account and a week, and is not shown again:",
      `  ${server.firstInvitation.link}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function fail(thrown: unknown): never {
  const error = KithError.from(thrown);
  const cause = error.code === "internal" && error.cause instanceof Error ? ` (${error.cause.message})` : "";
  process.stderr.write(`login-server: ${error.message}${cause}\n`);
  process.exit(1);
}

main().catch(fail);
