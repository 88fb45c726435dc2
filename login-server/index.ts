/** The login server as a process: options in, one line out, signals handled. */
import { join } from "node:path";
import { pino } from "pino";
import { KithError } from "../protocol/errors.ts";
import { KEYS_FILE } from "./data-folder.ts";
import { HELP, parseCommandLine } from "./options.ts";
import { startLoginServer } from "./server.ts";

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2), process.env);
  if (command.kind === "help") {
    process.stdout.write(HELP);
    return;
  }
  const { options } = command;
  const log = pino({ level: options["log-level"] }, pino.destination({ dest: 2, sync: true }));
  const token = options["enrolment-token"];
  const server = await startLoginServer({
    dataFolder: options.data,
    listen: options.listen,
    port: options.port,
    name: options.name,
    registration: options.registration,
    ...(token === undefined ? {} : { enrolmentToken: token }),
    log,
  });
  const stop = () => {
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  // Started by another process that has gone: nobody would end this one.
  if (process.send) process.once("disconnect", stop);
  process.stdout.write(
    `Login server of ${options.name} at ${server.url}\n` +
      `Network ${server.networkId}, registration ${options.registration}, data in ${options.data}\n` +
      (token === undefined ? `Supernodes enrol with the token in ${join(options.data, KEYS_FILE)}\n` : "") +
      (isLoopback(options.listen)
        ? ""
        : "Other machines reach it by TLS only: put a proxy with a certificate before it\n"),
  );
  process.send?.({ kind: "ready", url: server.url, port: server.port, networkId: server.networkId });
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

function fail(thrown: unknown): never {
  const error = KithError.from(thrown);
  const cause = error.code === "internal" && error.cause instanceof Error ? ` (${error.cause.message})` : "";
  process.stderr.write(`login-server: ${error.message}${cause}\n`);
  process.exit(1);
}

main().catch(fail);
