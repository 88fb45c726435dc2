import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "./failure.ts";
import { cacheFolder } from "./repository.ts";

const SCENARIOS = ["call", "reject", "no-answer", "callee-killed"] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface InteractiveOptions {
  readonly kind: "interactive";
  /** Where the network and the two profiles are kept from one start to the next. */
  readonly dataFolder: string;
  readonly ringMs: number | null;
}

/** `--check`: unattended; check.ts exports `check(options: CheckOptions): Promise<void>`. */
export interface CheckOptions {
  readonly kind: "check";
  readonly scenario: Scenario;
  /** The last line on stdout is the JSON report; without it the report is told in words. */
  readonly json: boolean;
  /** null: a fresh one, removed afterwards. */
  readonly dataFolder: string | null;
  readonly ringMs: number | null;
  /** WAV files; null: those of test/fixtures. */
  readonly speech: { readonly alice: string | null; readonly bob: string | null };
}

export type StartOptions = InteractiveOptions | CheckOptions;

export const START_HELP = `npm start -- [options]

Starts a login server, three supernodes and two desktop apps, Alice and Bob, on this machine.

  --data DIR            keep everything in DIR (default: a folder in your cache)
  --ring-ms N           how long a call rings, in milliseconds
  --check               unattended: have the two call and write to each other, and report
  --json                with --check: the report as one JSON object on the last line
  --scenario NAME       with --check: ${SCENARIOS.join(", ")} (default: call)
  --speech-alice FILE   with --check: what Alice says, a WAV file
  --speech-bob FILE     with --check: what Bob says
  --help`;

/**
 * @param args without node and the script; relative paths are the caller's
 * @returns null when help was asked for
 * @throws Failure that names the option
 */
export function parseStartOptions(args: readonly string[], env: NodeJS.ProcessEnv): StartOptions | null {
  const values = parse(args);
  if (values.help) return null;
  const data = values.data === undefined ? null : resolve(values.data);
  const ringMs = values["ring-ms"] === undefined ? null : wholeNumber("--ring-ms", values["ring-ms"], 100, 600_000);
  if (values.check) {
    const scenario = SCENARIOS.find((name) => name === (values.scenario ?? "call"));
    if (scenario === undefined) throw new Failure(`--scenario: one of ${SCENARIOS.join(", ")}`);
    const speech = {
      alice: existing("--speech-alice", values["speech-alice"]),
      bob: existing("--speech-bob", values["speech-bob"]),
    };
    return { kind: "check", scenario, json: values.json ?? false, dataFolder: data, ringMs, speech };
  }
  for (const name of ["json", "scenario", "speech-alice", "speech-bob"] as const) {
    if (values[name] !== undefined) throw new Failure(`--${name}: only together with --check`);
  }
  return { kind: "interactive", dataFolder: data ?? join(cacheFolder(env), "start"), ringMs };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        data: { type: "string" },
        "ring-ms": { type: "string" },
        check: { type: "boolean" },
        json: { type: "boolean" },
        scenario: { type: "string" },
        "speech-alice": { type: "string" },
        "speech-bob": { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : error} See npm start -- --help`);
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new Failure(`${option}: a whole number from ${least} to ${most}`);
}

function existing(option: string, file: string | undefined): string | null {
  if (file === undefined) return null;
  if (!existsSync(file)) throw new Failure(`${option}: there is no file ${file}`);
  return resolve(file);
}
