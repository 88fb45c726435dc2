/**
 * `npm run bench -- directory`: the directory of two hundred live supernodes on loopback, a
 * third of which are killed; dht-rpc beside it; and how much a record takes and a check costs.
 */
import { parseArgs } from "node:util";
import { LEASE_REPLICAS } from "../protocol/limits.ts";
import type { RecordStoreFigures } from "./bench-record-store.ts";
import { benchVerify, type VerifyFigures } from "./bench-verify.ts";
import { DhtNetwork } from "./dht-rpc-network.ts";
import { DirectoryNetwork, PER_PROCESS } from "./directory-network.ts";
import type { LookUpOutcome } from "./directory-supernode.ts";
import { Failure } from "./failure.ts";
import { onOwnLines } from "./own-lines.ts";

const USAGE = `npm run bench -- directory [--json] [options]
  --supernodes N   in processes of ${PER_PROCESS}: 200
  --records N      in the network: 2000
  --look-ups N     before the kill: 2000
  --waves N        of 30 % killed, with as many newcomers in between: 3
  --sizes N,N,…    of the record store: 1000000,5000000,20000000 (the last takes 6 GB and two minutes)
  --only PART,…    of: network, few-replicas, dht-rpc, records, verify`;

const PARTS = ["network", "few-replicas", "dht-rpc", "records", "verify"] as const;
const FEW_REPLICAS = 3;
const KILL_SHARE = 0.3;
/** The first seconds after the kill: all records are looked up in this time. */
const FIRST_MS = 4_000;
const LOOK_UPS_PER_SECOND = 200;

const OPTIONS = {
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
  supernodes: { type: "string", default: "200" },
  records: { type: "string", default: "2000" },
  "look-ups": { type: "string", default: "2000" },
  waves: { type: "string", default: "3" },
  sizes: { type: "string", default: "1000000,5000000,20000000" },
  only: { type: "string", default: PARTS.join() },
} as const;

interface Choice {
  readonly supernodes: number;
  readonly records: number;
  readonly lookUps: number;
  readonly waves: number;
}

interface NetworkFigures {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly requestsPerLookup: number;
  readonly foundAfterKill: number;
  /** Of the records that have a living replica: no directory could find more. */
  readonly foundOfLiving: number;
  readonly p99MsAfterKill: number;
  readonly repairedSeconds: number;
  /** Of the later waves. */
  readonly laterRepairedSeconds: readonly number[];
  readonly lost: number;
}

export async function benchDirectory(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const choice = {
    supernodes: Number(values.supernodes),
    records: Number(values.records),
    lookUps: Number(values["look-ups"]),
    waves: Number(values.waves),
  };
  const parts = values.only.split(",");
  for (const part of parts) if (!PARTS.some((known) => known === part)) throw new Failure(USAGE);

  const network = parts.includes("network") ? await measureNetwork(LEASE_REPLICAS, choice) : null;
  const dht = parts.includes("dht-rpc") ? await measureDht(choice) : null;
  const few = parts.includes("few-replicas") ? await measureNetwork(FEW_REPLICAS, choice) : null;
  const records = parts.includes("records") ? await measureRecords(values.sizes.split(",")) : [];
  const verify = parts.includes("verify") ? benchVerify(2) : null;

  printNetworks(choice, network, few, dht);
  printRecords(records, verify);
  const packed = records.filter(({ store }) => store === "packed");
  const largest = packed.at(-1);
  const figures = {
    requestsPerLookup: network?.requestsPerLookup,
    medianMs: network?.medianMs,
    p99Ms: network?.p99Ms,
    p99MsDhtRpc: dht?.p99Ms,
    p99MsDhtRpcAfterKill: dht?.p99MsAfterKill,
    foundAfterKill: network?.foundAfterKill,
    foundOfLivingAfterKill: network?.foundOfLiving,
    p99MsAfterKill: network?.p99MsAfterKill,
    repairedSeconds: network?.repairedSeconds,
    lostInWaves: network?.lost,
    foundAfterKillAt3Replicas: few?.foundAfterKill,
    lostInWavesAt3Replicas: few?.lost,
    bytesPerRecord: largest?.bytesPerRecord,
    lookupsPerSecond: largest?.lookupsPerSecond,
    longestPauseMs: packed.length > 0 ? Math.max(...packed.map(({ longestPauseMs }) => longestPauseMs)) : undefined,
    rssGiBAt20M: packed.find(({ records: count }) => count === 20_000_000)?.rssGiB,
    verifiesPerSecond: verify?.registrations,
  };
  if (values.json) console.log(JSON.stringify(figures));
}

async function measureNetwork(replicas: number, choice: Choice): Promise<NetworkFigures> {
  const say = (what: string) => process.stderr.write(`${replicas} replicas: ${what}\n`);
  const network = new DirectoryNetwork(replicas, choice.records);
  try {
    await network.grow(choice.supernodes);
    await network.fill();
    say(`${network.size} supernodes, ${choice.records} records`);
    // Once, so that connections are there as in a network that has lived for a while.
    await network.lookUp(choice.lookUps, paceMs(choice.lookUps));
    const calm = summary(await network.lookUp(choice.lookUps, paceMs(choice.lookUps)));
    say(`look-ups: ${JSON.stringify(calm)}`);

    const repairs: number[] = [];
    let first = { found: 0, living: 0, p99Ms: 0 };
    for (let wave = 1; wave <= choice.waves; wave++) {
      const missing = network.size;
      const living = await network.kill(KILL_SHARE);
      const [after, seconds] = await Promise.all([network.lookUp(choice.records, FIRST_MS), network.whole()]);
      repairs.push(Number(seconds.toFixed(1)));
      const { found, p99Ms } = summary(after);
      if (wave === 1) first = { found, living, p99Ms };
      say(
        `wave ${wave}: found ${found}, a living replica ${living}, p99 ${p99Ms} ms, whole in ${seconds.toFixed(1)} s`,
      );
      if (wave < choice.waves) await network.grow(missing - network.size);
      if (wave < choice.waves) await network.whole();
    }
    const [repairedSeconds = 0, ...laterRepairedSeconds] = repairs;
    return {
      medianMs: calm.medianMs,
      p99Ms: calm.p99Ms,
      requestsPerLookup: calm.requests,
      foundAfterKill: first.found,
      foundOfLiving: Number((first.found / first.living).toFixed(5)),
      p99MsAfterKill: first.p99Ms,
      repairedSeconds,
      laterRepairedSeconds,
      lost: await network.lost(),
    };
  } finally {
    await network.end();
  }
}

interface DhtFigures {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly requests: number;
  readonly foundAfterKill: number;
  readonly p99MsAfterKill: number;
}

async function measureDht({ supernodes, records, lookUps }: Choice): Promise<DhtFigures> {
  const network = new DhtNetwork(LEASE_REPLICAS, records);
  try {
    await network.start(supernodes, PER_PROCESS);
    await network.lookUp(lookUps, paceMs(lookUps));
    const calm = summary(await network.lookUp(lookUps, paceMs(lookUps)));
    process.stderr.write(`dht-rpc: ${JSON.stringify(calm)}\n`);
    await network.kill(KILL_SHARE);
    const after = summary(await network.lookUp(records, FIRST_MS));
    process.stderr.write(`dht-rpc after the kill: ${JSON.stringify(after)}\n`);
    return { ...calm, foundAfterKill: after.found, p99MsAfterKill: after.p99Ms };
  } finally {
    await network.end();
  }
}

async function measureRecords(sizes: readonly string[]): Promise<RecordStoreFigures[]> {
  const [first = "1000000"] = sizes;
  const map = await onOwnLines<RecordStoreFigures>("directory-records", "map", first);
  return [...map, ...(await onOwnLines<RecordStoreFigures>("directory-records", ...sizes))];
}

function paceMs(lookUps: number): number {
  return (lookUps / LOOK_UPS_PER_SECOND) * 1_000;
}

function summary(outcomes: readonly LookUpOutcome[]): {
  readonly found: number;
  readonly requests: number;
  readonly medianMs: number;
  readonly p99Ms: number;
} {
  const sorted = outcomes.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number) => Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2));
  const found = outcomes.filter(({ isFound }) => isFound).length / outcomes.length;
  const requests = outcomes.reduce((sum, outcome) => sum + outcome.requests, 0) / outcomes.length;
  return { found: Number(found.toFixed(5)), requests: Number(requests.toFixed(3)), medianMs: at(0.5), p99Ms: at(0.99) };
}

function printNetworks(
  { supernodes, records }: Choice,
  network: NetworkFigures | null,
  few: NetworkFigures | null,
  dht: DhtFigures | null,
): void {
  if (!network && !few && !dht) return;
  console.log(
    `${supernodes} supernodes in ${supernodes / PER_PROCESS} processes on loopback, ${records} records. Ours: gossip over UDP, ` +
      "sealed and signed as in earnest; look-ups and replication in frames over plain TCP, one connection for each pair " +
      "(in earnest socket.io over TLS); each answer's lease is checked. Killed: by SIGKILL, 30 % at once.",
  );
  const ours = (figures: NetworkFigures) => ({
    requests: figures.requestsPerLookup,
    "median ms": figures.medianMs,
    "p99 ms": figures.p99Ms,
    "found after kill": figures.foundAfterKill,
    "of the living": figures.foundOfLiving,
    "p99 ms after kill": figures.p99MsAfterKill,
    "whole again, s": [figures.repairedSeconds, ...figures.laterRepairedSeconds].join(", "),
    "lost in all waves": figures.lost,
  });
  console.table({
    ...(network && { [`ours, ${LEASE_REPLICAS} replicas`]: ours(network) }),
    ...(few && { [`ours, ${FEW_REPLICAS} replicas`]: ours(few) }),
    ...(dht && {
      [`dht-rpc, ${LEASE_REPLICAS} replicas`]: {
        requests: dht.requests,
        "median ms": dht.medianMs,
        "p99 ms": dht.p99Ms,
        "found after kill": dht.foundAfterKill,
        "p99 ms after kill": dht.p99MsAfterKill,
      },
    }),
  });
}

function printRecords(records: readonly RecordStoreFigures[], verify: VerifyFigures | null): void {
  if (records.length > 0) {
    console.log("The record store in one process; 20 million bare IDs of 160 bits would be 381 MiB:");
    console.table(records);
  }
  if (verify) console.log("Checked per second of one core:", verify);
}
