/** The stage of the check and of the end-to-end tests: a network of its own, and two apps whose people are buddies. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppWindow } from "./app-window.ts";
import { observeCalls } from "./call-observer.ts";
import type { DataFolder } from "./data-folder.ts";
import { type DrivenApp, driveApp } from "./driven-app.ts";
import type { ElectronRuntime } from "./electron-runtime.ts";
import { Failure } from "./failure.ts";
import { fakeMicrophone } from "./launch-app.ts";
import type { Lifetime } from "./lifetime.ts";
import { type LocalNetwork, startLocalNetwork } from "./local-network.ts";
import { makeBuddies } from "./provision.ts";
import { root } from "./repository.ts";
import { decodeWave, encodeWave } from "./speech-file.ts";
import { matchSpeech, type SpeechPrint, speechPrint } from "./speech-match.ts";
import { type SpeechTap, tapSpeech } from "./speech-tap.ts";

const SUPERNODES = 3;
const WINDOW_WIDTH = 970;
/** A recording with less speech says too little about whose it is. */
const LEAST_SPEECH_SECONDS = 1;
export const HANDLES = ["alice", "bob"] as const;
export type ActorHandle = (typeof HANDLES)[number];

/** One person: their app, and the recording that is their voice. */
export interface Actor {
  readonly handle: ActorHandle;
  /** As it is told to a person. */
  readonly name: string;
  readonly speech: SpeechPrint;
  readonly app: DrivenApp;
  readonly window: AppWindow;
  readonly tap: SpeechTap;
}

export interface Stage {
  readonly network: LocalNetwork;
  readonly alice: Actor;
  readonly bob: Actor;
  /** Opens an app on a person's profile again, after it was closed. */
  reopen(handle: ActorHandle): Promise<Actor>;
}

export interface StageOptions {
  readonly runtime: ElectronRuntime;
  readonly data: DataFolder;
  /** With the display. */
  readonly env: NodeJS.ProcessEnv;
  /** WAV files; null: those of test/fixtures. */
  readonly speech?: Readonly<Record<ActorHandle, string | null>>;
  readonly ringMs?: number | null;
}

/** @param lifetime ends all of it */
export async function openStage(options: StageOptions, lifetime: Lifetime): Promise<Stage> {
  const { data } = options;
  const voices = await readVoices(options);
  const network = await startLocalNetwork(data, SUPERNODES);
  lifetime.atEnd(() => network.close());
  if (data.settings.people.length === 0) {
    const [alice, bob] = HANDLES.map((handle) => ({ handle, profile: data.in(handle) }));
    if (alice === undefined || bob === undefined) throw new Error("two people");
    await makeBuddies([alice, bob], data.settings.password, network.url);
    data.settings.people = [...HANDLES];
    await data.save();
  }
  const open = (handle: ActorHandle) => openActor(handle, voices[handle], network.url, options, lifetime);
  const [alice, bob] = await Promise.all([open("alice"), open("bob")]);
  return { network, alice, bob, reopen: open };
}

export interface Voice {
  readonly print: SpeechPrint;
  /** In the one form that every Chromium reads. */
  readonly file: string;
}

/** @throws Failure when a recording cannot serve */
export async function readVoices({
  data,
  speech,
}: Pick<StageOptions, "data" | "speech">): Promise<Record<ActorHandle, Voice>> {
  const read = async (handle: ActorHandle): Promise<Voice> => {
    const source = speech?.[handle] ?? join(root, "test", "fixtures", `speech-${handle}.wav`);
    try {
      const sound = decodeWave(await readFile(source));
      const print = speechPrint(sound);
      if (print.spokenSeconds < LEAST_SPEECH_SECONDS) throw new Error("hardly any speech in it");
      const file = data.in(`speech-${handle}.wav`);
      await writeFile(file, encodeWave(sound));
      return { print, file };
    } catch (error) {
      throw new Failure(`${source}: ${error instanceof Error ? error.message : error}`);
    }
  };
  const [alice, bob] = await Promise.all([read("alice"), read("bob")]);
  if (matchSpeech(alice.print, bob.print).recognised || matchSpeech(bob.print, alice.print).recognised) {
    throw new Failure(
      "Alice and Bob say the same: nobody could tell who is heard. Give each a recording of their own.",
    );
  }
  return { alice, bob };
}

export async function openActor(
  handle: ActorHandle,
  voice: Voice,
  loginServer: string,
  { runtime, data, env, ringMs }: StageOptions,
  lifetime: Lifetime,
): Promise<Actor> {
  const launch = {
    profile: data.in(handle),
    loginServer,
    ...(typeof ringMs === "number" && { ringMs }),
    flags: [`--window-position=${HANDLES.indexOf(handle) * WINDOW_WIDTH},0`, ...fakeMicrophone(voice.file)],
  };
  const app = await driveApp(runtime, launch, env);
  lifetime.atEnd(() => app.quit());
  await observeCalls(app.page);
  return {
    handle,
    name: handle === "alice" ? "Alice" : "Bob",
    speech: voice.print,
    app,
    window: new AppWindow(app.page),
    tap: await tapSpeech(app.page),
  };
}
