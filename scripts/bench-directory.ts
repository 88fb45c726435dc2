/**
 * `npm run bench -- directory`: the directory of two hundred live supernodes on loopback, a
 * third of which are killed; dht-rpc beside it; and how much a record takes and a check costs.
 */
import { parseArgs } from "node:util";
import { LEASE_REPLICAS } from "../protocol/limits.ts";
import type { RecordStoreFigures } from "./bench-record-store.ts";
import { benchVerify, type VerifyFigures } from "./bench-verify.ts";
import { DhtNetwork } from "./dht-rpc-network.ts";
import { DirectoryNetwork, perProcess } from "./directory-network.ts";
import type { LookUpOutcome } from "./directory-supernode.ts";
import { Failure } from "./failure.ts";
import { onOwnLines } from "./own-lines.ts";

const USAGE = `npm run bench -- directory [--json] [options]
  --supernodes N   200
  --records N      in the network: 5000
  --look-ups N     before the kill: 5000
  --rate N         look-ups a second, of the whole network: 1000
  --waves N        of 30 % killed, with as many newcomers in between: 3
  --sizes N,N,…    of the record store: 1000000,5000000,20000000 (the last takes 6 GB and two minutes)
  --only PART,…    of: network, few-replicas, dht-rpc, records, verify`;

const PARTS = ["network", "few-replicas", "dht-rpc", "records", "verify"] as const;
const FEW_REPLICAS = 3;
const KILL_SHARE = 0.3;

const OPTIONS = {
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
  supernodes: { type: "string", default: "200" },
  records: { type: "string", default: "5000" },
  "look-ups": { type: "string", default: "5000" },
  rate: { type: "string", default: "1000" },
  waves: { type: "string", default: "3" },
  sizes: { type: "string", default: "1000000,5000000,20000000" },
  only: { type: "string", default: PARTS.join() },
} as const;

interface Choice {
  readonly supernodes: number;
  readonly records: number;
  readonly lookUps: number;
  readonly lookUpsPerSecond: number;
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
  /** null: some replicas never came. */
  readonly repairedSeconds: number | null;
  /** Of the later waves. */
  readonly laterRepairedSeconds: readonly (number | null)[];
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
    lookUpsPerSecond: Number(values.rate),
    waves: Number(values.waves),
  };
  const parts = values.only.split(",");
  for (const part of parts) if (!PARTS.some((known) => known === part)) throw new Failure(USAGE);

  const replicas = [
    ...(parts.includes("network") ? [LEASE_REPLICAS] : []),
    ...(parts.includes("few-replicas") ? [FEW_REPLICAS] : []),
  ];
  const measured = replicas.length > 0 ? await measureNetworks(replicas, choice) : new Map<number, NetworkFigures>();
  const network = measured.get(LEASE_REPLICAS) ?? null;
  const few = measured.get(FEW_REPLICAS) ?? null;
  const dht = parts.includes("dht-rpc") ? await measureDht(choice) : null;
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

/** One network after the other for each number of replicas, of the same supernodes as far as they are not killed. */
async function measureNetworks(
  replicas: readonly number[],
  choice: Choice,
): Promise<ReadonlyMap<number, NetworkFigures>> {
  const network = new DirectoryNetwork(choice.records, say);
  const figures = new Map<number, NetworkFigures>();
  try {
    for (const count of replicas) {
      await network.growTo(choice.supernodes);
      await network.fill(count);
      figures.set(count, await measureWaves(network, count, choice));
    }
    return figures;
  } finally {
    await network.end();
  }
}

async function measureWaves(network: DirectoryNetwork, replicas: number, choice: Choice): Promise<NetworkFigures> {
  say(`${choice.records} records on ${replicas} supernodes each; looking up ${choice.lookUps} of them, twice`);
  await network.connect();
  // Once, so that the code is compiled.
  await network.lookUp(choice.lookUps, spanMs(choice.lookUps, choice));
  const calm = summary(await network.lookUp(choice.lookUps, spanMs(choice.lookUps, choice)));
  say(`  ${calm.requests} requests a look-up, median ${calm.medianMs} ms, p99 ${calm.p99Ms} ms`);

  const repairs: (number | null)[] = [];
  let first = { found: 0, living: 0, p99Ms: 0 };
  for (let wave = 1; wave <= choice.waves; wave++) {
    say(`killing ${KILL_SHARE * 100} % of them at once, wave ${wave} of ${choice.waves}, and looking up every record`);
    const living = await network.kill(KILL_SHARE);
    const lookUps = network.lookUp(choice.records, spanMs(choice.records, choice));
    const [after, seconds] = await Promise.all([lookUps, network.repaired()]);
    repairs.push(seconds && Number(seconds.toFixed(1)));
    const { found, p99Ms } = summary(after);
    if (wave === 1) first = { found, living, p99Ms };
    say(`  found ${found} of all, p99 ${p99Ms} ms; a living replica had ${living}; ${wholeAgain(seconds)}`);
    if (wave < choice.waves) {
      await network.growTo(choice.supernodes);
      if ((await network.whole()) === null) say("  not whole again before the next wave");
    }
  }
  const [repairedSeconds = null, ...laterRepairedSeconds] = repairs;
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
}

function wholeAgain(seconds: number | null): string {
  return seconds === null ? "some replicas never came back" : `whole again in ${seconds.toFixed(1)} s`;
}

interface DhtFigures {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly requests: number;
  readonly foundAfterKill: number;
  readonly p99MsAfterKill: number;
}

async function measureDht(choice: Choice): Promise<DhtFigures> {
  const { supernodes, records, lookUps } = choice;
  const network = new DhtNetwork(LEASE_REPLICAS, records);
  try {
    say(`starting ${supernodes} nodes of dht-rpc with as many records, to compare with`);
    await network.start(supernodes, perProcess(supernodes));
    say(`  looking up ${lookUps} of them, twice`);
    await network.lookUp(lookUps, spanMs(lookUps, choice));
    const calm = summary(await network.lookUp(lookUps, spanMs(lookUps, choice)));
    say(`  ${calm.requests} requests a look-up, median ${calm.medianMs} ms, p99 ${calm.p99Ms} ms`);
    await network.kill(KILL_SHARE);
    const after = summary(await network.lookUp(records, spanMs(records, choice)));
    say(`  after the same kill: found ${after.found}, p99 ${after.p99Ms} ms`);
    return { ...calm, foundAfterKill: after.found, p99MsAfterKill: after.p99Ms };
  } finally {
    await network.end();
  }
}

async function measureRecords(sizes: readonly string[]): Promise<RecordStoreFigures[]> {
  const [first = "1000000"] = sizes;
  say(`filling record stores of ${sizes.join(", ")} records, one process, and a Map of objects beside them`);
  const map = await onOwnLines<RecordStoreFigures>("directory-records", "map", first);
  return [...map, ...(await onOwnLines<RecordStoreFigures>("directory-records", ...sizes))];
}

/** To stderr, for whoever waits: with the seconds since the beginning. */
function say(what: string): void {
  process.stderr.write(`${`${(performance.now() / 1_000).toFixed(0)} s`.padStart(6)}  ${what}\n`);
}

function spanMs(lookUps: number, { lookUpsPerSecond }: Choice): number {
  return (lookUps / lookUpsPerSecond) * 1_000;
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
  { supernodes, records, lookUpsPerSecond }: Choice,
  network: NetworkFigures | null,
  few: NetworkFigures | null,
  dht: DhtFigures | null,
): void {
  if (!network && !few && !dht) return;
  console.log(
    `${supernodes} supernodes, ${perProcess(supernodes)} in a process, on loopback, ${records} records, ${lookUpsPerSecond} look-ups a second. Ours: gossip over UDP, ` +
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
    "whole again, s": [figures.repairedSeconds, ...figures.laterRepairedSeconds].map((s) => s ?? "never").join(", "),
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
