/**
 * `npm run bench -- attach`: ten thousand clients of the real code on real supernodes, all on
 * this machine. First they idle on one supernode; then that one is killed; then all are
 * killed and started again at once. What clients cost here is not the supernodes' doing, and
 * both sides share the machine's cores: read the times as upper bounds.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type LoadOrder, LoadTally } from "./attach-load.ts";
import { benchFloor } from "./bench-attach-floor.ts";
import { type BenchNetwork, type BenchSupernode, startBenchNetwork } from "./bench-attach-network.ts";
import { Failure } from "./failure.ts";
import { type OwnedProcess, own } from "./owned-process.ts";
import { cpuSecondsOf, residentBytesOf } from "./process-usage.ts";

const OPTIONS = {
  json: { type: "boolean", default: false },
  nodes: { type: "string", default: "10000" },
  supernodes: { type: "string", default: "4" },
  buddies: { type: "string", default: "5" },
  /** Two rounds of pings. */
  "idle-seconds": { type: "string", default: "60" },
  /** Only the part about idle nodes. */
  "idle-only": { type: "boolean", default: false },
} as const;

/** Beside what they keep in memory, clients need two descriptors each; a process may have 20,000 or fewer. */
const CLIENTS_PER_PROCESS = 4_000;
/** Clients that begin in a second, in all: below what one supernode lets in. */
const BEGIN_PER_SECOND = 200;
const LOOK_MS = 1_000;
/** After a storm of connections V8 goes on collecting what they left for half a minute; then they are idle. */
const REST_MS = 40_000;
const GIVE_UP_SECONDS = 240;
const WORD_SECONDS = 5;

export async function benchAttach(args: readonly string[]): Promise<void> {
  if (process.platform !== "linux") throw new Failure("The benchmark of attaching needs Linux.");
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const nodes = Number(values.nodes);
  const buddies = Number(values.buddies);
  const network = await startBenchNetwork(Number(values.supernodes), nodes);
  const crowd = new Crowd(nodes);
  try {
    const mbBareTls = await benchFloor("tls", nodes);
    say(`${nodes} idle TLS connections of Node's own, with nothing behind them: ${mbBareTls} MB`);
    const mbBareSocketIo = await benchFloor("socket.io", nodes);
    say(`the same with socket.io as it comes: ${mbBareSocketIo} MB`);
    const idle = await benchIdle(network, crowd, buddies, Number(values["idle-seconds"]));
    const storms = values["idle-only"] ? {} : await benchStorms(network, crowd, nodes);
    const figures = {
      nodes,
      supernodes: network.supernodes.length,
      buddies,
      mbBareTls,
      mbBareSocketIo,
      ...idle,
      ...storms,
    };
    console.table(figures);
    say(`${availableParallelism()} cores carry both the supernodes and all the clients: times are upper bounds.`);
    if (values.json) console.log(JSON.stringify(figures));
  } finally {
    await crowd.end();
    await network.close();
  }
}

/** All at one supernode, with nothing to do but to be there. */
async function benchIdle(network: BenchNetwork, crowd: Crowd, buddies: number, seconds: number) {
  const [home] = network.supernodes as [BenchSupernode, ...BenchSupernode[]];
  const mbEmpty = Math.round(residentBytesOf(home.pid) / 1e6);
  const { networkSeed, list } = network;
  await crowd.begin({ networkSeed, list, only: home.supernodeId, buddies });
  const { seconds: attachSeconds } = await crowd.until((tally) => tally.right === crowd.size, "attached");
  const attachCpuSeconds = round(cpuSecondsOf(home.pid));
  await passing(REST_MS);
  const since = performance.now();
  const cpuBefore = cpuSecondsOf(home.pid);
  let megabytes = 0;
  while (performance.now() - since < seconds * 1_000) {
    await passing(LOOK_MS);
    megabytes = Math.max(megabytes, residentBytesOf(home.pid) / 1e6);
  }
  const cpuPercent = (100 * (cpuSecondsOf(home.pid) - cpuBefore)) / secondsSince(since);
  const mbAt10k = Math.round(megabytes);
  say(
    `${crowd.size} idle nodes: ${mbAt10k} MB, of which ${mbEmpty} MB before they came; ${round(cpuPercent)} % of a core`,
  );
  return { attachSeconds, attachCpuSeconds, mbEmpty, mbAt10k, cpuPercentAt10k: round(cpuPercent) };
}

/** The supernode of all of them dies; then all supernodes do and come back. */
async function benchStorms(network: BenchNetwork, crowd: Crowd, nodes: number) {
  const [victim, ...others] = network.supernodes as [BenchSupernode, ...BenchSupernode[]];
  crowd.tell({ kind: "know-all" });
  const haveStandby = (tally: LoadTally) => tally.withStandby === nodes;
  await crowd.until(haveStandby, "with a standby");

  const watch = new LimitWatch(network.supernodes);
  const before = cpuOf(others);
  const crowdBefore = crowd.cpuSeconds;
  await victim.kill();
  const isElsewhere = (tally: LoadTally) => tally.right === nodes && !tally.homes[victim.supernodeId];
  const death = await crowd.until(isElsewhere, "right again after their supernode died");
  const reattachCpuSeconds = round(cpuOf(others) - before);
  const reattachCrowdCpuSeconds = round(crowd.cpuSeconds - crowdBefore);
  say(`CPU seconds: ${reattachCpuSeconds} of the other supernodes, ${reattachCrowdCpuSeconds} of the clients`);
  await crowd.until(haveStandby, "with a standby again");

  const since = performance.now();
  const crowdBeforeAll = crowd.cpuSeconds;
  await Promise.all(network.supernodes.map((supernode) => supernode.kill()));
  await Promise.all(network.supernodes.map((supernode) => supernode.restart()));
  const downSeconds = secondsSince(since);
  const restart = await crowd.until((tally) => tally.right === nodes, "right again after all supernodes restarted");
  return {
    reattachSeconds: death.seconds,
    reattachCpuSeconds,
    reattachCrowdCpuSeconds,
    reattachAllSeconds: round(downSeconds + restart.seconds),
    reattachAllCpuSeconds: round(cpuOf(network.supernodes)),
    reattachAllCrowdCpuSeconds: round(crowd.cpuSeconds - crowdBeforeAll),
    lost: death.missing + restart.missing,
    mostAttached: await watch.end(),
    admissionLimit: nodes,
  };
}

function cpuOf(supernodes: readonly BenchSupernode[]): number {
  return supernodes.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
}

/** The clients, in as many processes as their descriptors need. */
class Crowd {
  readonly size: number;
  readonly #processes: OwnedProcess[] = [];

  constructor(size: number) {
    this.size = size;
  }

  async begin(order: Pick<Extract<LoadOrder, { kind: "begin" }>, "networkSeed" | "list" | "only" | "buddies">) {
    const script = process.argv[1];
    if (script === undefined) throw new Failure("No script to run.");
    const processes = Math.max(2, Math.ceil(this.size / CLIENTS_PER_PROCESS));
    for (let index = 0; index < processes; index++) {
      const first = Math.floor((this.size * index) / processes);
      const count = Math.floor((this.size * (index + 1)) / processes) - first;
      const child = await own("clients", fork(script, ["attach-load"], { execArgv: [] }));
      this.#processes.push(child);
      const perSecond = BEGIN_PER_SECOND / processes;
      child.child.send({ kind: "begin", ...order, first, count, perSecond } satisfies LoadOrder);
    }
    // Their keys are made: what is measured from now on is attaching.
    await this.tally();
  }

  /** What all the clients have used. */
  get cpuSeconds(): number {
    return this.#processes.reduce((sum, { child }) => sum + cpuSecondsOf(child.pid ?? 0), 0);
  }

  tell(order: LoadOrder): void {
    for (const { child } of this.#processes) child.send(order);
  }

  async tally(): Promise<LoadTally> {
    const answers = this.#processes.map(({ child }) => once(child, "message"));
    this.tell({ kind: "tally" });
    const sum: LoadTally = { clients: 0, atHome: 0, withStandby: 0, right: 0, homes: {} };
    for (const [answer] of await Promise.all(answers)) {
      const part = LoadTally.parse(answer);
      sum.clients += part.clients;
      sum.atHome += part.atHome;
      sum.withStandby += part.withStandby;
      sum.right += part.right;
      for (const [id, count] of Object.entries(part.homes)) sum.homes[id] = (sum.homes[id] ?? 0) + count;
    }
    return sum;
  }

  /** @returns after how many seconds it held, or was given up, and how many were not right then */
  async until(holds: (tally: LoadTally) => boolean, what: string): Promise<{ seconds: number; missing: number }> {
    const since = performance.now();
    let nextWord = 0;
    for (;;) {
      const tally = await this.tally();
      const seconds = secondsSince(since);
      const isDone = holds(tally);
      const isOver = isDone || seconds > GIVE_UP_SECONDS;
      if (isOver || seconds >= nextWord) {
        const { atHome, withStandby, right } = tally;
        say(`${seconds} s: ${atHome} at home, ${withStandby} with a standby, ${right} right`);
        nextWord = seconds + WORD_SECONDS;
      }
      if (isOver) {
        say(`${isDone ? "" : "given up: not "}all ${what}`);
        return { seconds, missing: this.size - tally.right };
      }
      await passing(LOOK_MS);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.end()));
  }
}

/** Looks at the supernodes' own count every second. */
class LimitWatch {
  readonly #supernodes: readonly BenchSupernode[];
  readonly #timer: NodeJS.Timeout;
  #most = 0;

  constructor(supernodes: readonly BenchSupernode[]) {
    this.#supernodes = supernodes;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** @returns the most nodes that one supernode had at once */
  async end(): Promise<number> {
    clearInterval(this.#timer);
    await this.#look();
    return this.#most;
  }

  async #look(): Promise<void> {
    for (const supernode of this.#supernodes) {
      // One that is being killed does not answer.
      const attached = await supernode.attachedNodes().catch(() => null);
      this.#most = Math.max(this.#most, attached ?? 0);
    }
  }
}

function secondsSince(then: number): number {
  return round((performance.now() - then) / 1_000);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
