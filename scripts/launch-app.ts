/** How the desktop app is started from the working copy: by a person, by the check and by the tests. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ElectronRuntime } from "./electron-runtime.ts";
import { Failure } from "./failure.ts";
import { say } from "./progress.mjs";
import { root } from "./repository.ts";
import { runCommand } from "./run-command.ts";

export interface AppLaunch {
  /** The profile's folder. */
  readonly profile: string;
  /** Proposed on the sign-in screen. */
  readonly loginServer?: string;
  readonly ringMs?: number;
  /** Chromium's own switches. */
  readonly flags?: readonly string[];
}

/** The arguments for the runtime's executable. (Under Playwright's control: driven-app.ts.) */
export function appArguments({ profile, loginServer, ringMs, flags = [] }: AppLaunch): string[] {
  return commandLine([
    ...flags,
    `--profile=${profile}`,
    ...(loginServer === undefined ? [] : [`--login-server=${loginServer}`]),
    ...(ringMs === undefined ? [] : [`--ring-ms=${ringMs}`]),
  ]);
}

/** The app of this working copy with the app's and Chromium's options as they were typed. */
export function commandLine(options: readonly string[]): string[] {
  return [...sandboxFlags(), root, ...options];
}

/** Speech from a WAV file in place of a microphone, over and over or (with `once`) one time. */
export function fakeMicrophone(file: string, { once = false } = {}): string[] {
  return ["--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${file}${once ? "%noloop" : ""}`];
}

/** Chromium's sandbox refuses to run as root. */
function sandboxFlags(): string[] {
  return process.getuid?.() === 0 && process.platform === "linux" ? ["--no-sandbox"] : [];
}

/**
 * Says that the sandbox is off, if it must be, and refuses to go on where it could be on but
 * the system forbids it, with the command that allows it.
 */
export async function checkSandbox(runtime: ElectronRuntime): Promise<void> {
  if (process.platform !== "linux") return;
  if (sandboxFlags().length > 0) {
    say("Running as root, so Chromium's sandbox is off (--no-sandbox).");
    return;
  }
  const namespaces = await runCommand("unshare", ["--user", "--map-root-user", "true"]);
  // Without the program there is nothing to find out: Chromium will say it itself.
  if (namespaces.code === 0 || namespaces.code === null) return;
  const helper = join(runtime.folder, "chrome-sandbox");
  const found = await stat(helper).catch(() => null);
  if (found?.uid === 0 && (found.mode & 0o4000) !== 0) return;
  throw new Failure(
    "This system forbids Chromium's sandbox to ordinary users. " +
      `Type: sudo chown root:root ${helper} && sudo chmod 4755 ${helper}`,
  );
}
