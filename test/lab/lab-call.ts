/** One call between two real apps, each behind an access line of the lab, and what is measured of it. */
import { join } from "node:path";
import { readCallStats } from "../../scripts/call-observer.ts";
import { accept, meet, ring } from "../../scripts/check-acts.ts";
import { hear } from "../../scripts/check-hearing.ts";
import { type Actor, type ActorHandle, openActor, type Voice } from "../../scripts/check-stage.ts";
import { DataFolder } from "../../scripts/data-folder.ts";
import type { ElectronRuntime } from "../../scripts/electron-runtime.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { type AccessKind, PROXY } from "./access-kind.ts";
import type { Lab, Wire } from "./lab.ts";
import type { LabNetwork } from "./lab-network.ts";
import { appInHost, startInHost } from "./lab-process.ts";
import { SoundGap } from "./sound-gap.ts";

export interface LabStage {
  readonly lab: Lab;
  readonly network: LabNetwork;
  readonly runtime: ElectronRuntime;
  readonly data: DataFolder;
  readonly voices: Readonly<Record<ActorHandle, Voice>>;
  /** With the display. */
  readonly env: NodeJS.ProcessEnv;
}

export interface PairResult {
  readonly a: AccessKind;
  readonly b: AccessKind;
  readonly connected: boolean;
  /** As Alice's window says it: `direct`, `relayed` or `relayed-tcp`; null if it did not connect. */
  readonly path: string | null;
  /** From Accept to the first decoded sound on both sides. */
  readonly setupMs: number | null;
  /** In the ten seconds after it connected, nobody heard a gap of more than a syllable. */
  readonly gapFree: boolean;
  readonly longestGapMs: number | null;
  /** The types of the candidates in use as each side sees them, for who wonders why a call took that path. */
  readonly candidates: string | null;
  /** Each window played what the other person said. */
  readonly recognised: boolean;
  readonly error?: string;
}

const WATCHED_MS = 10_000;
/** About a syllable (Greenberg, "Speaking in shorthand", 1999). */
const MAX_GAP_MS = 200;
const LOOK_EVERY_MS = 50;
const PATH_PATIENCE_MS = 5_000;
const HEARING_PATIENCE_MS = 20_000;
const PATHS = {
  "Direct connection": "direct",
  "Through a relay": "relayed",
  "Through a relay over TCP": "relayed-tcp",
} as const;

export interface LabCall {
  readonly alice: Actor;
  readonly bob: Actor;
  /** From Accept to the first decoded sound on both sides. */
  readonly setupMs: number;
}

/** Opens both apps behind such lines and has Alice call Bob. @param lifetime ends it all */
export async function openCall(
  stage: LabStage,
  a: AccessKind,
  b: AccessKind,
  wire: Wire | null,
  lifetime: Lifetime,
): Promise<LabCall> {
  await stage.lab.connect("alice", a, wire);
  await stage.lab.connect("bob", b, wire);
  const [alice, bob] = await Promise.all([
    openBehind(stage, "alice", a, lifetime),
    openBehind(stage, "bob", b, lifetime),
  ]);
  await meet({ alice, bob });
  await ring(alice, bob);
  return { alice, bob, setupMs: await accept(alice, bob) };
}

/** One call between two such lines, and all that is measured of it. */
export async function callThrough(
  stage: LabStage,
  a: AccessKind,
  b: AccessKind,
  wire: Wire | null,
): Promise<PairResult> {
  const lifetime = new Lifetime();
  try {
    const { alice, bob, setupMs } = await openCall(stage, a, b, wire, lifetime);
    const longest = Math.max(...(await Promise.all([longestGapMs(alice), longestGapMs(bob)])));
    const path = await pathOf(alice);
    const [ofAlice, ofBob] = await Promise.all([alice, bob].map(({ window }) => readCallStats(window.page)));
    const candidates = `${ofAlice?.pair} ${ofBob?.pair}`;
    const recognised = await recogniseEachOther(alice, bob);
    const gapFree = longest <= MAX_GAP_MS;
    return { a, b, connected: true, path, setupMs, gapFree, longestGapMs: longest, candidates, recognised };
  } catch (error) {
    return { a, b, ...NOT_CONNECTED, error: error instanceof Error ? error.message : String(error) };
  } finally {
    await lifetime.end();
  }
}

const NOT_CONNECTED = {
  connected: false,
  path: null,
  setupMs: null,
  gapFree: false,
  longestGapMs: null,
  candidates: null,
  recognised: false,
};

/** Both begin to speak at once, and echo cancellation cuts words off then: so it is looked for a while. */
async function recogniseEachOther(alice: Actor, bob: Actor): Promise<boolean> {
  const end = Date.now() + HEARING_PATIENCE_MS;
  for (;;) {
    const hearing = [await hear(alice, bob), await hear(bob, alice)];
    if (hearing.every(({ recognised }) => recognised)) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

async function openBehind(
  { lab, network, runtime, data, voices, env }: LabStage,
  handle: ActorHandle,
  kind: AccessKind,
  lifetime: Lifetime,
): Promise<Actor> {
  const namespace = lab.namespace(handle);
  const socketFile = data.in(`${handle}-${Date.now()}.sock`);
  const doorway = await startInHost(namespace, "doorway", [socketFile]);
  lifetime.atEnd(() => doorway.end());
  const inHost = { LAB_NAMESPACE: namespace, LAB_DOORWAY: socketFile, LAB_EXECUTABLE: runtime.executable };
  const proxy = kind === "proxy-only" ? { HTTPS_PROXY: `http://${PROXY.host}:${PROXY.port}` } : {};
  const options = {
    runtime: { ...runtime, executable: await appInHost() },
    data,
    env: { ...env, ...network.env, DISPLAY: env.DISPLAY, ...inHost, ...proxy },
  };
  return openActor(handle, voices[handle], network.url, options, lifetime);
}

/** The longest gap in what this person hears, from now on. */
export async function longestGapMs({ window }: Actor, forMs = WATCHED_MS): Promise<number> {
  const end = Date.now() + forMs;
  const gap = new SoundGap();
  while (Date.now() < end) {
    gap.add(await readCallStats(window.page));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return gap.longestMs;
}

/** What the window says of the way that the call goes. */
export async function pathOf({ window }: Actor): Promise<string> {
  const end = Date.now() + PATH_PATIENCE_MS;
  while (Date.now() < end) {
    for (const words of Object.keys(PATHS) as (keyof typeof PATHS)[]) {
      if (await window.callPath(words).isVisible()) return PATHS[words];
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return "unknown";
}

export async function openData(folder: string): Promise<DataFolder> {
  return DataFolder.open(join(folder, "apps"));
}
