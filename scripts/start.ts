/** `npm start`: a whole network on this machine and two desktop apps on it, until Ctrl-C or both windows are closed. */
import { join } from "node:path";
import { DataFolder } from "./data-folder.ts";
import { type Display, openDisplay } from "./display.ts";
import type { ElectronRuntime } from "./electron-runtime.ts";
import { Failure } from "./failure.ts";
import { appArguments, fakeMicrophone } from "./launch-app.ts";
import { Lifetime } from "./lifetime.ts";
import { type LocalNetwork, startLocalNetwork } from "./local-network.ts";
import { type OwnedProcess, startProgram } from "./owned-process.ts";
import { step } from "./progress.mjs";
import { makeBuddies } from "./provision.ts";
import { readyMachine } from "./ready-machine.ts";
import { root } from "./repository.ts";
import { parseStartOptions, START_HELP } from "./start-options.ts";

const SUPERNODES = 3;
/** How an app ends whose window was closed. */
const CLOSED = "ended with code 0";

interface Person {
  readonly handle: string;
  readonly name: string;
  /** Of the window, in pixels from the left: side by side. */
  readonly left: number;
}
const ALICE: Person = { handle: "alice", name: "Alice", left: 0 };
const BOB: Person = { handle: "bob", name: "Bob", left: 970 };

const options = parseStartOptions(process.argv.slice(2), process.env);
if (options === null) tell(START_HELP);
else if (options.kind === "check") await (await import("./check.ts")).check(options);
else await runInteractively(options.dataFolder, options.ringMs);

async function runInteractively(dataFolder: string, ringMs: number | null): Promise<void> {
  const lifetime = new Lifetime();
  lifetime.endOnSignals();
  try {
    const runtime = await readyMachine(process.env);
    const data = await DataFolder.open(dataFolder);
    lifetime.atEnd(() => data.close());
    const network = await step("Starting the login server and the supernodes", () =>
      startLocalNetwork(data, SUPERNODES),
    );
    lifetime.atEnd(() => network.close());
    await step("Signing up Alice and Bob", () => provision(data, network.url));
    const display = await openDisplay("real", process.env);
    lifetime.atEnd(() => display.close());

    const apps: OwnedProcess[] = [];
    for (const person of [ALICE, BOB]) {
      const app = await openApp(person, { runtime, data, network, display, ringMs });
      lifetime.atEnd(() => app.end());
      apps.push(app);
    }
    describe(runtime, data, network, apps, display);
    await Promise.race([network.broken.then(fail), Promise.all(apps.map((app) => untilClosed(app, lifetime)))]);
  } catch (error) {
    // What fails because everything is being ended is no news.
    if (!lifetime.isOver) throw error;
  } finally {
    await lifetime.end();
  }
}

async function provision(data: DataFolder, url: string): Promise<void> {
  if (data.settings.people.length > 0) return;
  const withProfile = ({ handle }: Person) => ({ handle, profile: data.in(handle) });
  await makeBuddies([withProfile(ALICE), withProfile(BOB)], data.settings.password, url);
  data.settings.people = [ALICE.handle, BOB.handle];
  await data.save();
}

interface Surroundings {
  readonly runtime: ElectronRuntime;
  readonly data: DataFolder;
  readonly network: LocalNetwork;
  readonly display: Display;
  readonly ringMs: number | null;
}

function openApp({ handle, name, left }: Person, around: Surroundings): Promise<OwnedProcess> {
  const { runtime, data, network, display, ringMs } = around;
  const speech = join(root, "test", "fixtures", `speech-${handle}.wav`);
  const args = appArguments({
    profile: data.in(handle),
    loginServer: network.url,
    flags: [`--window-position=${left},0`, ...(display.kind === "virtual" ? fakeMicrophone(speech) : [])],
    ...(ringMs !== null && { ringMs }),
  });
  const log = { file: data.in(`${handle}.log`) };
  return startProgram(`${name}'s app`, runtime.executable, args, display.env, log);
}

async function untilClosed(app: OwnedProcess, lifetime: Lifetime): Promise<void> {
  const how = await app.ended;
  if (how !== CLOSED) fail(`${app.name} ${how}.`);
  if (!lifetime.isOver) tell(`${app.name} was closed.`);
}

function fail(sentence: string): never {
  throw new Failure(`${sentence} Everything else was ended too; what they wrote is in *.log in the data folder.`);
}

function describe(
  { version }: ElectronRuntime,
  data: DataFolder,
  network: LocalNetwork,
  apps: readonly OwnedProcess[],
  display: Display,
): void {
  const row = (what: string, where: string, { pid }: OwnedProcess) =>
    tell(`  ${what.padEnd(14)} ${where.padEnd(28)} process ${pid}`);
  tell(`Kith runs on this machine, on Electron ${version}:`);
  row("login server", network.url, network.loginServer);
  network.supernodes.forEach(({ host, port, process }, index) => {
    row(`supernode ${index + 1}`, `${host}:${port}`, process);
  });
  for (const app of apps) row(app.name, "one window", app);
  tell(`  data folder    ${data.path}`);
  tell(`  password       ${data.settings.password} (alice's and bob's)`);
  if (display.kind === "virtual") {
    const where = display.env.DISPLAY;
    tell(`There is no display: the windows are on a virtual one (${where}), and the microphones play recorded speech.`);
  }
  tell("Press Call in either window. Ctrl-C ends everything; so does closing both windows.");
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}
