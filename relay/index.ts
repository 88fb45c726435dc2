/** The supernode as a process: options in, one line out, signals handled. */
import "./heap-size.ts";
import { pino } from "pino";
import { authority } from "../protocol/certificate.ts";
import { KithError } from "../protocol/errors.ts";
import { exitStatusOf } from "./exit-status.ts";
import { HELP, parseCommandLine, relayingOf } from "./options.ts";
import { startSupernode } from "./supernode.ts";

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2), process.env);
  if (command.kind === "help") {
    process.stdout.write(HELP);
    return;
  }
  const { options } = command;
  const log = pino({ level: options["log-level"] }, pino.destination({ dest: 2, sync: true }));
  const supernode = await startSupernode({
    dataFolder: options.data,
    loginServer: options["login-server"],
    enrolmentToken: options["enrolment-token"],
    ...(options["network-key"] && { networkKey: options["network-key"] }),
    listen: options.listen,
    host: options.host,
    port: options.port,
    relaying: relayingOf(options),
    limits: options.nodes === undefined ? {} : { maxAttachments: options.nodes },
    status: options["status-listen"],
    log,
  });
  const leave = () => fail(new KithError("supernode-removed"));
  supernode.removed.then(leave, fail);
  const stop = () => {
    supernode.drain(options["drain-seconds"] * 1_000).then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  // Started by another process that has gone: nobody would end this one.
  if (process.send) process.once("disconnect", stop);
  const { supernodeId, host, port, statusUrl } = supernode;
  process.stdout.write(`Supernode ${supernodeId} at ${authority({ host, port })}, data in ${options.data}\n`);
  if (statusUrl !== null) process.stdout.write(`Status page at ${statusUrl}, metrics at ${statusUrl}metrics\n`);
  process.send?.({ kind: "ready", supernodeId, host, port, statusUrl });
}

function fail(thrown: unknown): never {
  const error = KithError.from(thrown);
  const cause = error.code === "internal" && error.cause instanceof Error ? ` (${error.cause.message})` : "";
  process.stderr.write(`relay: ${error.message}${cause}\n`);
  process.exit(exitStatusOf(error.code));
}

main().catch(fail);
