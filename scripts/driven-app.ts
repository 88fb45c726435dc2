/** One desktop app under remote control: started as a person's would be, seen and pressed through Playwright. */
import { join } from "node:path";
import type { ElectronApplication, Page } from "playwright-core";
import type { ElectronRuntime } from "./electron-runtime.ts";
import { type AppLaunch, appArguments } from "./launch-app.ts";
import { root } from "./repository.ts";

const START_MS = 60_000;
/**
 * Holds the app's start until Playwright is attached, as Playwright does by itself for an
 * Electron that it finds by itself. Attached in the middle of the first navigation, it would
 * now and then wait for ever.
 */
const LOADER = join(root, "node_modules", "playwright-core", "lib", "server", "electron", "loader.js");
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface DrivenApp {
  readonly page: Page;
  readonly electron: ElectronApplication;
  /** As a person closes it; waits until it is gone. */
  quit(): Promise<void>;
  /** SIGKILL to every process of the app at once; waits until it is gone. */
  kill(): Promise<void>;
}

/** @param env with the display that its window is to open on */
export async function driveApp(
  runtime: ElectronRuntime,
  launch: AppLaunch,
  env: NodeJS.ProcessEnv,
): Promise<DrivenApp> {
  // Loaded only when it is needed: an ordinary start has no use for it.
  const { _electron } = await import("playwright-core");
  const ours = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  const electron = await _electron.launch({
    executablePath: runtime.executable,
    args: ["-r", LOADER, ...appArguments(launch)],
    env: definedOnly(env),
    // appArguments knows when the sandbox has to be off.
    chromiumSandbox: true,
    timeout: START_MS,
  });
  // Playwright would end this process on Ctrl-C, whatever else it still has to end.
  for (const signal of SIGNALS) {
    for (const listener of process.listeners(signal)) {
      if (!ours.get(signal)?.includes(listener)) process.off(signal, listener);
    }
  }
  let isGone = false;
  const gone = new Promise<void>((resolve) => {
    electron.once("close", () => {
      isGone = true;
      resolve();
    });
  });
  const { pid } = electron.process();
  const kill = async () => {
    // Playwright has made it the leader of a process group.
    if (pid !== undefined && !isGone) process.kill(-pid, "SIGKILL");
    await gone;
  };
  const quit = async () => {
    if (!isGone) await electron.close();
  };
  try {
    const page = await electron.firstWindow({ timeout: START_MS });
    return { page, electron, kill, quit };
  } catch (error) {
    await kill();
    throw error;
  }
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
