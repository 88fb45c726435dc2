/** `npm run bench -- NAME ...`: runs one benchmark. With --json the last line of output is one JSON object. */
import { Failure } from "./failure.ts";

/** Each takes the arguments after its name. */
const BENCHMARKS: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<void>>>> = {
  attach: async () => (await import("./bench-attach.ts")).benchAttach,
  directory: async () => (await import("./bench-directory.ts")).benchDirectory,
  login: async () => (await import("./bench-login.ts")).benchLogin,
  relay: async () => (await import("./bench-relay.ts")).benchRelay,
  // The clients of `attach`: processes of their own.
  "attach-load": async () => (await import("./attach-load.ts")).runAttachLoad,
  // Nothing but TLS, to compare `attach` with: processes of their own.
  "attach-floor": async () => (await import("./bench-attach-floor.ts")).runAttachFloor,
  // The server of `login`, a process of its own.
  "login-subject": async () => (await import("./login-subject.ts")).runLoginSubject,
  // Parts of `relay` that run as processes of their own. The first is of use alone: it loads any TURN server.
  "turn-load": async () => (await import("./turn-load.ts")).runTurnLoad,
  "turn-subject": async () => (await import("./turn-subject.ts")).runTurnSubject,
  // Parts of `directory`.
  "directory-host": async () => (await import("./directory-host.ts")).runDirectoryHost,
  "directory-records": async () => (await import("./bench-record-store.ts")).runRecordStore,
  "dht-rpc-host": async () => (await import("./dht-rpc-network.ts")).runDhtHost,
};

const [name = "", ...args] = process.argv.slice(2);
const load = BENCHMARKS[name];
if (load === undefined)
  throw new Failure(`Usage: npm run bench -- NAME [--json]   with one of: attach, directory, login, relay, turn-load`);
await (await load())(args);
