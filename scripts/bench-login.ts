/**
 * `npm run bench -- login`: full OPAQUE logins over HTTP at a login server with SQLite, a
 * process of its own. The clients do all of the protocol but the stretching of the password:
 * that takes them half a second each, and the server cannot tell. Each figure is the median of
 * several rounds, since a machine has other things to do; what clients and server take from
 * each other is in all of them, so read the times as upper bounds.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as opaque from "@serenity-kit/opaque";
import { DeviceId } from "../protocol/identifiers.ts";
import { Failure } from "./failure.ts";
import { type BenchAccount, makeAccounts } from "./login-accounts.ts";
import { login, loginInStorm, openingMessage } from "./login-client.ts";
import { syncTimes } from "./login-sync.ts";
import { type OwnedProcess, own } from "./owned-process.ts";
import { cpuSecondsOf, residentBytesOf } from "./process-usage.ts";

const OPTIONS = {
  json: { type: "boolean", default: false },
  clients: { type: "string", default: "10000" },
  accounts: { type: "string", default: "1000000" },
  /** Of each round. */
  logins: { type: "string", default: "300" },
  /** One of the two, to have figures sooner: `storm`, or `growth`. */
  only: { type: "string", default: "" },
} as const;

/** Of one account, below what makes an older one leave. */
const DEVICES_PER_ACCOUNT = 10;
const BUDDIES = 500;
const SMALL = 1_000;
const SYNCS = 20;
const ROUNDS = 5;
const AT_A_TIME = 8;
const TELL_MS = 10_000;
const TELL_ACCOUNTS = 250_000;
/** On a machine with nothing else to do the last one is in after a minute or two. */
const STORM_PATIENCE_MS = 600_000;
const LOOK_MS = 250;
/** All come within this time. */
const STORM_MS = 1_000;

interface Subject {
  readonly url: string;
  readonly process: OwnedProcess;
}

export async function benchLogin(args: readonly string[]): Promise<void> {
  if (process.platform !== "linux") throw new Failure("The benchmark of logins needs Linux.");
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const [clients, accounts, logins] = [values.clients, values.accounts, values.logins].map(Number) as [
    number,
    number,
    number,
  ];
  await opaque.ready;
  const folder = await mkdtemp(join(tmpdir(), "kith-bench-login-"));
  try {
    const figures = {
      clients,
      accounts,
      ...(values.only !== "growth" && (await benchSmall(join(folder, "small"), clients, logins))),
      ...(values.only !== "storm" && (await benchGrowth(folder, accounts, logins))),
    };
    console.table(figures);
    console.log(`${availableParallelism()} cores carry the server and its clients: times are upper bounds.`);
    if (values.json) console.log(JSON.stringify(figures));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function benchSmall(folder: string, clients: number, logins: number) {
  const real = Math.max(SMALL, Math.ceil(clients / DEVICES_PER_ACCOUNT));
  say(`Making ${real} accounts`);
  const people = await makeAccounts(folder, { real, all: real, buddies: BUDDIES });
  const subject = await startSubject(folder);
  try {
    const { pid } = subject.process;
    await loginTimes([subject], people, logins);
    say(`${logins} logins, one after the other, ${ROUNDS} times`);
    const idle = await rounds(async () => (await loginTimes([subject], people, logins))[0] ?? []);
    say(`The whole list of ${BUDDIES} buddies, ${ROUNDS} times ${SYNCS} times`);
    const cpuBeforeSyncs = cpuSecondsOf(pid);
    const syncs = await rounds(() => syncTimes(subject.url, people[0], SYNCS));
    const deltaSyncCpuMs = round(((cpuSecondsOf(pid) - cpuBeforeSyncs) * 1_000) / (ROUNDS * SYNCS));
    say(`${logins} logins, eight at a time, ${ROUNDS} times`);
    const perCore = await rounds(() => loginsPerCpuSecond(subject, people, logins));
    say(`${clients} clients at once`);
    const storm = await benchStorm(subject, people, clients);
    return {
      loginsPerSecondPerCore: Math.round(median(perCore)),
      p50MsIdle: medianOf(idle, 0.5),
      p99MsIdle: medianOf(idle, 0.99),
      deltaSyncMs: medianOf(syncs, 0.5),
      /** Of the server's alone. */
      deltaSyncCpuMs,
      ...storm,
    };
  } finally {
    await subject.process.end();
  }
}

async function loginsPerCpuSecond(subject: Subject, people: readonly BenchAccount[], logins: number): Promise<number> {
  const { pid } = subject.process;
  const each = Math.ceil(logins / AT_A_TIME);
  const cpuBefore = cpuSecondsOf(pid);
  await Promise.all(Array.from({ length: AT_A_TIME }, () => loginTimes([subject], people, each)));
  return (AT_A_TIME * each) / (cpuSecondsOf(pid) - cpuBefore);
}

async function benchStorm(subject: Subject, people: readonly BenchAccount[], clients: number) {
  const { pid } = subject.process;
  const openings = Array.from({ length: clients }, openingMessage);
  let rss = residentBytesOf(pid);
  const looking = setInterval(() => {
    rss = Math.max(rss, residentBytesOf(pid));
  }, LOOK_MS);
  const cpuBefore = cpuSecondsOf(pid);
  const since = performance.now();
  const times: number[] = [];
  let turnedAway = 0;
  const telling = setInterval(() => say(`${times.length} of ${clients} are in`), TELL_MS);
  await Promise.all(
    openings.map(async (opening, index) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * STORM_MS));
      const beganAt = performance.now();
      const person = people[index % people.length] as BenchAccount;
      const patience = { opening, deadline: since + STORM_PATIENCE_MS };
      const refusals = await loginInStorm(subject.url, person.handle, deviceOf(index), patience);
      if (refusals === null) return;
      turnedAway += refusals;
      times.push(performance.now() - beganAt);
    }),
  );
  clearInterval(looking);
  clearInterval(telling);
  return {
    stormFailed: clients - times.length,
    stormSeconds: Math.round((performance.now() - since) / 1_000),
    stormP50Ms: quantile(times, 0.5),
    stormP99Ms: quantile(times, 0.99),
    stormTurnedAway: turnedAway,
    /** Of the server's alone: what it would take with a core for itself. */
    stormCpuSeconds: Math.round(cpuSecondsOf(pid) - cpuBefore),
    rssMb: Math.round(rss / 1e6),
  };
}

/** Both servers are asked in turns, so that whatever else the machine does slows both alike. */
async function benchGrowth(folder: string, accounts: number, logins: number) {
  const [smallFolder, largeFolder] = [join(folder, "small-again"), join(folder, "large")];
  say(`Making ${SMALL} and ${accounts} accounts`);
  const since = performance.now();
  const few = await makeAccounts(smallFolder, { real: SMALL / 4, all: SMALL, buddies: 0 });
  const many = await makeAccounts(largeFolder, { real: SMALL / 4, all: accounts, buddies: 0 }, (made) => {
    if (made % TELL_ACCOUNTS === 0) say(`${made} rows`);
  });
  say(`That took ${Math.round((performance.now() - since) / 1_000)} s; starting a server on each`);
  const subjects = [await startSubject(smallFolder), await startSubject(largeFolder)] as const;
  try {
    await loginTimes(subjects, few, logins, many);
    say(`${logins} logins at each, in turns, ${ROUNDS} times`);
    const cpuBefore = subjects.map((subject) => cpuSecondsOf(subject.process.pid));
    const both = await rounds(() => loginTimes(subjects, few, logins, many));
    const [cpuOfFew = 0, cpuOfMany = 0] = subjects.map(
      (subject, index) => cpuSecondsOf(subject.process.pid) - (cpuBefore[index] ?? 0),
    );
    const growth = (share: number) =>
      round(
        medianOf(
          both.map(([, large = []]) => large),
          share,
        ) /
          medianOf(
            both.map(([small = []]) => small),
            share,
          ),
      );
    return {
      p50GrowthAt1M: growth(0.5),
      p99GrowthAt1M: growth(0.99),
      cpuGrowthAt1M: round(cpuOfMany / cpuOfFew),
      p99MsAt1M: medianOf(
        both.map(([, large = []]) => large),
        0.99,
      ),
      rssMbAt1M: Math.round(residentBytesOf(subjects[1].process.pid) / 1e6),
    };
  } finally {
    await Promise.all(subjects.map((subject) => subject.process.end()));
  }
}

async function rounds<T>(once: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let count = 0; count < ROUNDS; count++) results.push(await once());
  return results;
}

/** @returns what each server took, login by login */
async function loginTimes(
  subjects: readonly Subject[],
  people: readonly BenchAccount[],
  count: number,
  others = people,
): Promise<number[][]> {
  const agents = subjects.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  const times: number[][] = subjects.map(() => []);
  for (let index = 0; index < count; index++) {
    for (const [which, subject] of subjects.entries()) {
      const group = which === 0 ? people : others;
      const person = group[Math.floor(Math.random() * group.length)] as BenchAccount;
      const { servedMs } = await login(agents[which] as Agent, subject.url, person.handle, deviceOf(index));
      times[which]?.push(servedMs);
    }
  }
  for (const agent of agents) agent.destroy();
  return times;
}

/** As many different ones as an account may have. */
function deviceOf(index: number): DeviceId {
  return DeviceId.parse((index % DEVICES_PER_ACCOUNT).toString(16).padStart(32, "0"));
}

async function startSubject(folder: string): Promise<Subject> {
  const child = fork(process.argv[1] ?? "", ["login-subject", folder], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const owned = await own("login server", child);
  const [message] = await Promise.race([
    once(child, "message"),
    owned.ended.then((how) => Promise.reject(new Failure(`The login server ${how}.`))),
  ]);
  return { url: (message as { url: string }).url, process: owned };
}

/** The quantile of each round, and of those the median. */
function medianOf(roundsOfTimes: readonly (readonly number[])[], share: number): number {
  return median(roundsOfTimes.map((times) => quantile(times, share)));
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function say(text: string): void {
  process.stderr.write(`${text} ...\n`);
}
