/**
 * `npm run bench -- relay`: our relay, Debian's coturn and node-turn, one after the other in
 * each round, under the same load on the same two cores. Ratios are taken within a round,
 * and the median of the rounds counts: machines have moods.
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { Failure } from "./failure.ts";
import { runCommand } from "./run-command.ts";
import { ensureTools } from "./system-packages.ts";
import { benchProcess, type Subject, type SubjectName, startSubject, startToolPeer } from "./turn-bench-servers.ts";
import type { LoadReport } from "./turn-load.ts";

const LOAD_CORE = "1";
/** Of voice: 1,000 two-way calls at 20 ms are 100,000 packets a second; this is half of it. */
const HALF_LOAD = 50_000;
const MANY_ALLOCATIONS = 10_000;

/** One way to load one server. */
interface Case {
  readonly subject: SubjectName;
  readonly transport: "udp" | "tcp";
  readonly mode: "channels" | "indications";
}

const CASES = {
  ours: { subject: "batched", transport: "udp", mode: "channels" },
  coturn: { subject: "coturn", transport: "udp", mode: "channels" },
  portable: { subject: "portable", transport: "udp", mode: "channels" },
  oursTcp: { subject: "batched", transport: "tcp", mode: "channels" },
  coturnTcp: { subject: "coturn", transport: "tcp", mode: "channels" },
  // node-turn relays no ChannelData from clients.
  oursIndications: { subject: "batched", transport: "udp", mode: "indications" },
  nodeTurn: { subject: "node-turn", transport: "udp", mode: "indications" },
} as const satisfies Record<string, Case>;

type CaseName = keyof typeof CASES;

interface Measured {
  readonly packetsPerSecond: number;
  readonly generatorLimited: boolean;
  readonly cpuSecondsPerMillion: number;
  /** One way, at half load; null where the server does not carry that. */
  readonly p50Us: number | null;
  readonly p99Us: number | null;
}

interface Round {
  readonly cases: Readonly<Record<CaseName, Measured>>;
  /** From socket to socket with no server between, at half load. */
  readonly direct: { readonly p50Us: number; readonly p99Us: number };
}

const OPTIONS = {
  json: { type: "boolean", default: false },
  rounds: { type: "string", default: "3" },
  seconds: { type: "string", default: "1" },
} as const;

export async function benchRelay(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  await requireTools();
  const rounds: Round[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    rounds.push(await runRound(values.seconds));
    process.stderr.write(`round ${round} of ${values.rounds} done\n`);
  }
  const witness = { ours: await witnessed("batched"), coturn: await witnessed("coturn") };
  const mbAt10kAllocations = await megabytesOfManyAllocations();
  const figures = { ...summarise(rounds), mbAt10kAllocations, uclient: witness };
  console.table(tableOf(rounds));
  if (!values.json) console.log(figures);
  else console.log(JSON.stringify({ ...figures, rounds }));
}

async function runRound(seconds: string): Promise<Round> {
  const direct = await load(["--direct", "--rates", String(HALF_LOAD), "--seconds", seconds]);
  const measured: Partial<Record<CaseName, Measured>> = {};
  for (const name of Object.keys(CASES) as CaseName[]) measured[name] = await measure(CASES[name], seconds);
  const [row] = direct.rows;
  return {
    direct: { p50Us: row?.p50Us ?? 0, p99Us: row?.p99Us ?? 0 },
    cases: measured as Record<CaseName, Measured>,
  };
}

async function measure({ subject: name, transport, mode }: Case, seconds: string): Promise<Measured> {
  const subject = await startSubject(name);
  try {
    const where = ["--transport", transport, "--mode", mode, "--seconds", seconds, ...loginFor(subject, transport)];
    const report = await load([...where, "--rates", String(HALF_LOAD), "--search"]);
    const [half, ...search] = report.rows;
    const saturated = search.filter((row) => row.loss <= 0.01).sort((a, b) => b.received - a.received)[0] ?? half;
    const carriesHalf = half !== undefined && half.loss <= 0.01;
    return {
      packetsPerSecond: report.mostAtOnePercentLoss ?? 0,
      generatorLimited: report.generatorLimited,
      cpuSecondsPerMillion: saturated?.cpuSecondsPerMillion ?? 0,
      p50Us: carriesHalf ? half.p50Us : null,
      p99Us: carriesHalf ? half.p99Us : null,
    };
  } finally {
    await subject.end();
  }
}

async function megabytesOfManyAllocations(): Promise<number> {
  const subject = await startSubject("batched");
  try {
    const report = await load([...loginFor(subject, "udp"), "--clients", String(MANY_ALLOCATIONS)]);
    return Math.round((report.serverBytesAfter ?? 0) / 1e6);
  } finally {
    await subject.end();
  }
}

function loginFor(subject: Subject, transport: "udp" | "tcp"): string[] {
  const { username, password } = subject.login;
  const port = transport === "tcp" ? subject.tcpPort : subject.udpPort;
  return ["--server", `127.0.0.1:${port}`, "--user", username, "--password", password, "--pid", String(subject.pid)];
}

/** One run of the load generator on its own core. */
async function load(args: readonly string[]): Promise<LoadReport> {
  const child = benchProcess(LOAD_CORE, ["turn-load", "--json", ...args], "pipe");
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Failure("The load generator failed.");
  return JSON.parse(output.trim().split("\n").at(-1) ?? "");
}

/** What coturn's own client says: messages lost of 2,500, and round trip in its whole milliseconds. */
async function witnessed(name: "batched" | "coturn") {
  const subject = await startSubject(name);
  const peer = await startToolPeer(LOAD_CORE);
  try {
    const { username, password } = subject.login;
    const { stdout } = await runCommand("turnutils_uclient", [
      ...["-c", "-X", "-m", "50", "-n", "50", "-l", "120", "-z", "20", "-e", "127.0.0.1", "-r", String(peer.port)],
      ...["-u", username, "-w", password, "-p", String(subject.udpPort), "127.0.0.1"],
    ]);
    return {
      lost: Number(/Total lost packets (\d+)/.exec(stdout)?.[1] ?? -1),
      roundTripMs: Number(/Average round trip delay ([\d.]+)/.exec(stdout)?.[1] ?? -1),
    };
  } finally {
    await peer.end();
    await subject.end();
  }
}

function summarise(rounds: readonly Round[]) {
  const ratio = (a: CaseName, b: CaseName) =>
    medianOf(rounds, ({ cases }) => cases[a].packetsPerSecond / cases[b].packetsPerSecond);
  const added = (round: Round, name: CaseName, quantile: "p50Us" | "p99Us") =>
    Math.max(1, (round.cases[name][quantile] ?? Number.POSITIVE_INFINITY) - round.direct[quantile]);
  return {
    udpVsCoturn: ratio("ours", "coturn"),
    udpPortableVsCoturn: ratio("portable", "coturn"),
    tcpVsCoturn: ratio("oursTcp", "coturnTcp"),
    vsNodeTurn: ratio("oursIndications", "nodeTurn"),
    cpuPerPacketVsCoturn: medianOf(
      rounds,
      ({ cases }) => cases.ours.cpuSecondsPerMillion / cases.coturn.cpuSecondsPerMillion,
    ),
    p50AddedVsCoturn: medianOf(rounds, (round) => added(round, "ours", "p50Us") / added(round, "coturn", "p50Us")),
    p99AddedVsCoturn: medianOf(rounds, (round) => added(round, "ours", "p99Us") / added(round, "coturn", "p99Us")),
    p50AddedMsHalfLoad: medianOf(rounds, (round) => added(round, "ours", "p50Us") / 1_000),
    p99AddedMsHalfLoad: medianOf(rounds, (round) => added(round, "ours", "p99Us") / 1_000),
    generatorLimited: rounds.some(({ cases }) => Object.values(cases).some((one) => one.generatorLimited)),
  };
}

function tableOf(rounds: readonly Round[]): Record<string, Record<string, number>> {
  const table: Record<string, Record<string, number>> = {};
  for (const name of Object.keys(CASES) as CaseName[]) {
    table[name] = {
      "packets/s at 1 % loss": Math.round(medianOf(rounds, ({ cases }) => cases[name].packetsPerSecond)),
      "CPU s per million": medianOf(rounds, ({ cases }) => cases[name].cpuSecondsPerMillion),
      "p50 us at half load": medianOf(rounds, ({ cases }) => cases[name].p50Us ?? Number.NaN),
      "p99 us at half load": medianOf(rounds, ({ cases }) => cases[name].p99Us ?? Number.NaN),
    };
  }
  return table;
}

function medianOf(rounds: readonly Round[], value: (round: Round) => number): number {
  const values = rounds.map(value).sort((a, b) => a - b);
  const middle = values[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
  return Math.round(middle * 1_000) / 1_000;
}

async function requireTools(): Promise<void> {
  if (process.platform !== "linux") throw new Failure("The relay's benchmark needs Linux.");
  const missing = await ensureTools(
    { taskset: "util-linux", turnserver: "coturn", turnutils_uclient: "coturn", turnutils_peer: "coturn" },
    process.env,
  );
  if (missing !== null) throw new Failure(`The relay's benchmark is not possible here: ${missing}.`);
}
