/** `npm run bench -- NAME ...`: runs one benchmark. With --json the last line of output is one JSON object. */
import { Failure } from "./failure.ts";

/** Each takes the arguments after its name. */
const BENCHMARKS: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<void>>>> = {
  relay: async () => (await import("./bench-relay.ts")).benchRelay,
  // Parts of `relay` that run as processes of their own. The first is of use alone: it loads any TURN server.
  "turn-load": async () => (await import("./turn-load.ts")).runTurnLoad,
  "turn-subject": async () => (await import("./turn-subject.ts")).runTurnSubject,
};

const [name = "", ...args] = process.argv.slice(2);
const load = BENCHMARKS[name];
if (load === undefined) throw new Failure(`Usage: npm run bench -- NAME [--json]   with one of: relay, turn-load`);
await (await load())(args);
