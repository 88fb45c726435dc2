/** `npm start`: a whole network on this machine and two desktop apps on it, until Ctrl-C or both windows are closed. */
import { join } from "node:path";
import { DataFolder } from "./data-folder.ts";
import { openDisplay } from "./display.ts";
import { appArguments, fakeMicrophone } from "./launch-app.ts";
import { Lifetime } from "./lifetime.ts";
import { startLocalNetwork } from "./local-network.ts";
import { type OwnedProcess, startProgram } from "./owned-process.ts";
import { step } from "./progress.mjs";
import { makeBuddies } from "./provision.ts";
import { readyMachine } from "./ready-machine.ts";
import { root } from "./repository.ts";
import { type InteractiveOptions, parseStartOptions, START_HELP } from "./start-options.ts";

const SUPERNODES = 3;
const WINDOW_WIDTH = 970;
const PEOPLE = [
  { handle: "alice", name: "Alice", position: `0,0`, speech: "speech-alice.wav" },
  { handle: "bob", name: "Bob", position: `${WINDOW_WIDTH},0`, speech: "speech-bob.wav" },
] as const;

const options = parseStartOptions(process.argv.slice(2), process.env);
if (options === null) tell(START_HELP);
else if (options.kind === "check") await (await import("./check.ts")).check(options);
else await runInteractively(options);

async function runInteractively({ dataFolder, ringMs }: InteractiveOptions): Promise<void> {
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
    for (const { handle, name, position, speech } of PEOPLE) {
      const microphone = display.kind === "virtual" ? fakeMicrophone(join(root, "test", "fixtures", speech)) : [];
      const launch = {
        profile: data.in(handle),
        loginServer: network.url,
        flags: [`--window-position=${position}`, ...microphone],
        ...(ringMs !== null && { ringMs }),
      };
      const app = await startProgram(`${name}'s app`, runtime.executable, appArguments(launch), display.env, "inherit");
      lifetime.atEnd(() => app.end());
      apps.push(app);
    }

    tell(`
Kith ${runtime.version === "unknown" ? "" : `on Electron ${runtime.version} `}runs on this machine, in ${data.path}:`);
    describe("login server", network.url, network.loginServer);
    network.supernodes.forEach((node, index) => {
      describe(`supernode ${index + 1}`, `${node.host}:${node.port}`, node.process);
    });
    apps.forEach((app, index) => {
      describe(app.name, `signed in as ${PEOPLE[index]?.handle}`, app);
    });
    if (display.kind === "virtual") {
      tell(
        `There is no display: the windows are on a virtual one (${display.env.DISPLAY}), and the microphones are simulated with speech.`,
      );
    }
    tell(`Press Call in either window. Alice's and Bob's password: ${data.settings.password}
Ctrl-C ends everything; so does closing both windows.`);

    const closed = Promise.all(
      apps.map(async (app) => {
        const how = await app.ended;
        tell(how === "ended with code 0" ? `${app.name} was closed.` : `${app.name} ${how}.`);
        return how === "ended with code 0";
      }),
    );
    const broken = network.broken.then((sentence) => {
      tell(sentence);
      return [false];
    });
    if (!(await Promise.race([closed, broken])).every(Boolean)) process.exitCode = 1;
  } finally {
    await lifetime.end();
  }
}

async function provision(data: DataFolder, url: string): Promise<void> {
  if (data.settings.people.length > 0) return;
  const [alice, bob] = PEOPLE.map(({ handle }) => ({ handle, profile: data.in(handle) }));
  if (alice === undefined || bob === undefined) return;
  await makeBuddies([alice, bob], data.settings.password, url);
  data.settings.people = [alice.handle, bob.handle];
  await data.save();
}

function describe(what: string, where: string, process: OwnedProcess): void {
  tell(`  ${what.padEnd(14)} ${where.padEnd(28)} process ${process.pid}`);
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}
