/** `npm run sim -- [--nodes N] [--minutes N] …`: a long simulation, and a table that carries it to other sizes. */
import { parseArgs } from "node:util";
import { gossipCost, project } from "./projection.ts";
import { reportOf } from "./sim-report.ts";
import { DEFAULT_RUN, type SimRun, simulate } from "./sim-run.ts";

const HELP = `Simulates a network of supernodes under a virtual clock, with the real membership and record code.
Signatures are stand-ins that cost nothing; packets are counted by their real size.
The first minute is quiet; then supernodes come and go.

  --nodes N            ${DEFAULT_RUN.supernodes}
  --minutes N          of simulated time: ${DEFAULT_RUN.minutes}
  --users N            for each supernode: ${DEFAULT_RUN.usersPerSupernode}
  --loss P             share of packets lost: ${DEFAULT_RUN.loss}
  --session-hours H    median life of a supernode: ${DEFAULT_RUN.medianSessionMs / 3_600_000}
  --look-ups N         a second: ${DEFAULT_RUN.lookUpsPerSecond}
  --kill P             share killed at once after a third of the time: ${DEFAULT_RUN.kill}
  --partition P        share cut off, then or after two thirds of the time: ${DEFAULT_RUN.partition}
  --partition-minutes N  ${DEFAULT_RUN.partitionMinutes}
  --slow P             share that is up to 1.5 s late with all it does: ${DEFAULT_RUN.slow}
  --flapping P         share whose lines are dead for 10 s of each minute: ${DEFAULT_RUN.flapping}
  --seed N             ${DEFAULT_RUN.seed}; the same seed gives the same run
  --json               the figures as one JSON object on the last line`;

const USERS = 20_000_000;
/** From fewer that came or went nothing is reckoned. */
const MIN_CHANGES = 6;
const SIZES = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000];

const { values } = parseArgs({
  options: {
    nodes: { type: "string" },
    minutes: { type: "string" },
    users: { type: "string" },
    loss: { type: "string" },
    "session-hours": { type: "string" },
    "look-ups": { type: "string" },
    kill: { type: "string" },
    partition: { type: "string" },
    "partition-minutes": { type: "string" },
    slow: { type: "string" },
    flapping: { type: "string" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function number(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`not a number: ${text}`);
  return value;
}

if (values.help) console.log(HELP);
else {
  const run: SimRun = {
    seed: number(values.seed, DEFAULT_RUN.seed),
    supernodes: number(values.nodes, DEFAULT_RUN.supernodes),
    minutes: number(values.minutes, DEFAULT_RUN.minutes),
    usersPerSupernode: number(values.users, DEFAULT_RUN.usersPerSupernode),
    loss: number(values.loss, DEFAULT_RUN.loss),
    medianSessionMs: number(values["session-hours"], DEFAULT_RUN.medianSessionMs / 3_600_000) * 3_600_000,
    lookUpsPerSecond: number(values["look-ups"], DEFAULT_RUN.lookUpsPerSecond),
    kill: number(values.kill, DEFAULT_RUN.kill),
    partition: number(values.partition, DEFAULT_RUN.partition),
    partitionMinutes: number(values["partition-minutes"], DEFAULT_RUN.partitionMinutes),
    slow: number(values.slow, DEFAULT_RUN.slow),
    flapping: number(values.flapping, DEFAULT_RUN.flapping),
  };
  const startedAt = performance.now();
  const figures = simulate(run, (minute, directory) => {
    const wallSeconds = Math.round((performance.now() - startedAt) / 1_000);
    const missing = (100 * directory.missingShare(500)).toFixed(2);
    console.error(
      `minute ${minute} of ${run.minutes} (${wallSeconds} s): ${directory.gossip.up.length} supernodes, ` +
        `${missing} % of replicas missing, ${directory.deaths.falseDeaths} false deaths`,
    );
  });
  const machine = {
    wallSeconds: Math.round((performance.now() - startedAt) / 1_000),
    memoryMB: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
  console.log(
    `${run.supernodes} supernodes, ${run.minutes} minutes, ${100 * run.loss} % of packets lost, seed ${run.seed}; ` +
      `real membership and record code, stand-in signatures; ${machine.wallSeconds} s, ${machine.memoryMB} MB\n`,
  );
  for (const line of reportOf(figures)) console.log(line);
  const cost = gossipCost(figures);
  const carried = SIZES.map((supernodes) => project(supernodes, USERS, run.medianSessionMs, cost));
  if (figures.changes < MIN_CHANGES) console.log("\nToo few have come or gone to reckon from: take more minutes.");
  else {
    const hours = run.medianSessionMs / 3_600_000;
    console.log(
      `\nGossip: ${cost.quietBytesPerSecond} bytes/s, and ${cost.bytesPerChange} bytes for each that comes or goes.`,
    );
    console.log(`Carried to ${USERS / 1e6} million users; sent by each supernode, sessions of ${hours} h:`);
    console.table(carried);
  }
  if (values.json) {
    console.log(JSON.stringify({ ...figures, ...machine, signatures: "stand-ins", cost, carried }));
  }
}
