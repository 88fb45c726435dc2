/**
 * The whole matrix of the lab: every pair of access lines, called by real apps; or faults
 * under such calls. Prints a table, and with --json one JSON object on the last line.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readVoices } from "../../scripts/check-stage.ts";
import { openDisplay } from "../../scripts/display.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { readyMachine } from "../../scripts/ready-machine.ts";
import { ACCESS_KINDS, type AccessKind, shouldBeDirect } from "./access-kind.ts";
import { callThroughFault, FAULTS, FAULTY_CALLS, type FaultResult } from "./faults.ts";
import { Lab, type Wire } from "./lab.ts";
import { callThrough, type LabStage, openData, type PairResult } from "./lab-call.ts";
import { whyNoLab } from "./lab-needs.ts";
import { startLabNetwork } from "./lab-network.ts";

const HELP = `Usage: npm run test:lab -- [options]

  --json            one JSON object on the last line: pairs, connected, setupP95Ms
  --faults          instead: real calls while relays die, NATs forget and cables are out for 3 s,
                    and the gap that is heard; fields: faults, survived
  --fault NAME      only this one (can be given several times): ${FAULTS.join(", ")}
  --pair A,B        only this one (can be given several times); kinds: ${ACCESS_KINDS.join(", ")}
  --delay-ms N      of each access line, each way (default 50)
  --jitter-ms N     (default 5)
  --loss-percent N  each way (default 0)
  --keep            keep the folder with the logs
`;

/** The five kinds of DESIGN.md section 7 in all their pairs, and the lines that only some have. */
const FIVE: readonly AccessKind[] = ["public", "cone", "symmetric", "udp-blocked", "web-only"];
const ALL_PAIRS: readonly (readonly [AccessKind, AccessKind])[] = [
  ...FIVE.flatMap((a, index) => FIVE.slice(index).map((b) => [a, b] as const)),
  ["full-cone", "symmetric"],
  ["public", "proxy-only"],
  ["symmetric", "proxy-only"],
];

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    json: { type: "boolean" },
    help: { type: "boolean" },
    keep: { type: "boolean" },
    faults: { type: "boolean" },
    fault: { type: "string", multiple: true, default: [...FAULTS] },
    pair: { type: "string", multiple: true },
    "delay-ms": { type: "string", default: "50" },
    "jitter-ms": { type: "string", default: "5" },
    "loss-percent": { type: "string", default: "0" },
  },
});

if (values.help) {
  process.stdout.write(HELP);
} else {
  const reason = await whyNoLab(process.env);
  if (reason === null) await run();
  else skip(reason);
}

function skip(reason: string): void {
  process.stdout.write(`The lab is skipped: ${reason}.\n`);
  if (values.json)
    process.stdout.write(`${JSON.stringify({ skipped: reason, pairs: [], connected: 0, setupP95Ms: null })}\n`);
}

async function run(): Promise<void> {
  const lifetime = new Lifetime();
  lifetime.endOnSignals();
  try {
    const stage = await openLabStage(lifetime);
    const wire = {
      delayMs: Number(values["delay-ms"]),
      jitterMs: Number(values["jitter-ms"]),
      loss: Number(values["loss-percent"]) / 100,
    };
    await (values.faults ? runFaults(stage, wire) : runMatrix(stage, wire));
  } finally {
    await lifetime.end();
  }
}

async function runMatrix(stage: LabStage, wire: Wire): Promise<void> {
  const pairs: PairResult[] = [];
  for (const [a, b] of wantedPairs() ?? ALL_PAIRS) {
    const result = await callThrough(stage, a, b, wire);
    pairs.push(result);
    process.stdout.write(`${lineOf(result)}\n`);
  }
  const connected = pairs.filter((pair) => pair.connected).length;
  const setupP95Ms = percentile95(pairs.flatMap(({ setupMs }) => (setupMs === null ? [] : [setupMs])));
  process.stdout.write(`${connected} of ${pairs.length} connected, set-up p95 ${setupP95Ms} ms\n`);
  if (values.json) process.stdout.write(`${JSON.stringify({ pairs, connected, setupP95Ms, wire })}\n`);
  process.exitCode = pairs.every(isAsItShouldBe) ? 0 : 1;
}

async function runFaults(stage: LabStage, wire: Wire): Promise<void> {
  const faults: FaultResult[] = [];
  const pairs = wantedPairs();
  for (const one of FAULTY_CALLS) {
    if (!values.fault.includes(one.fault)) continue;
    if (pairs !== null && !pairs.some(([a, b]) => a === one.a && b === one.b)) continue;
    const result = await callThroughFault(stage, one, wire);
    faults.push(result);
    process.stdout.write(`${lineOfFault(result)}\n`);
  }
  const survived = faults.filter((fault) => fault.survived).length;
  process.stdout.write(`${survived} of ${faults.length} calls survived\n`);
  if (values.json) process.stdout.write(`${JSON.stringify({ faults, survived, wire })}\n`);
  process.exitCode = survived === faults.length ? 0 : 1;
}

async function openLabStage(lifetime: Lifetime): Promise<LabStage> {
  const runtime = await readyMachine(process.env);
  const folder = await mkdtemp(join(tmpdir(), "kith-lab-"));
  if (values.keep) process.stdout.write(`Everything is kept in ${folder}\n`);
  else lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  const display = await openDisplay("virtual", process.env);
  lifetime.atEnd(() => display.close());
  const data = await openData(folder);
  lifetime.atEnd(() => data.close());
  const voices = await readVoices({ data });
  const lab = await Lab.open();
  lifetime.atEnd(() => lab.close());
  const network = await startLabNetwork(lab, folder, data);
  lifetime.atEnd(() => network.close());
  return { lab, network, runtime, data, voices, env: display.env };
}

/** Null: all. */
function wantedPairs(): readonly (readonly [AccessKind, AccessKind])[] | null {
  if (values.pair === undefined) return null;
  return values.pair.map((text) => {
    const [a, b] = text.split(",").map((word) => ACCESS_KINDS.find((kind) => kind === word));
    if (a === undefined || b === undefined) throw new Error(`${text} is no pair of ${ACCESS_KINDS.join(", ")}`);
    return [a, b] as const;
  });
}

function isAsItShouldBe({ a, b, connected, path, gapFree, recognised }: PairResult): boolean {
  return connected && gapFree && recognised && (!shouldBeDirect(a, b) || path === "direct");
}

function lineOf(result: PairResult): string {
  const { a, b, connected, path, setupMs, longestGapMs, candidates, recognised, error } = result;
  const columns = [
    isAsItShouldBe(result) ? "ok  " : "FAIL",
    `${a} - ${b}`.padEnd(28),
    String(path ?? "-").padEnd(12),
    `set-up ${setupMs ?? "-"} ms`.padEnd(16),
    `longest gap ${longestGapMs ?? "-"} ms`.padEnd(22),
    (candidates ?? "").padEnd(24),
    connected ? (recognised ? "speech recognised" : "speech not recognised") : (error ?? ""),
  ];
  return columns.join("  ");
}

function lineOfFault({ fault, a, b, path, pathAfter, survived, gapMs, error }: FaultResult): string {
  const way = survived ? `${path}, then ${pathAfter}` : String(path ?? "no call");
  const gap = gapMs === null ? (error ?? "") : `gap ${gapMs} ms`;
  return [survived ? "ok  " : "FAIL", fault.padEnd(14), `${a} - ${b}`.padEnd(28), way.padEnd(32), gap].join("  ");
}

function percentile95(values: readonly number[]): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null;
}
