/**
 * What the end-to-end tests stand on, made once for all of them: the build, an Electron and
 * its system packages, a display. Each test file finds the runtime by `findRuntime(process.env)`.
 */
import { openDisplay } from "../../scripts/display.ts";
import { readyMachine } from "../../scripts/ready-machine.ts";

export async function setup(): Promise<() => Promise<void>> {
  const runtime = await readyMachine(process.env);
  const display = await openDisplay("virtual", process.env);
  // The test processes inherit this environment.
  if (display.env.DISPLAY !== undefined) process.env.DISPLAY = display.env.DISPLAY;
  delete process.env.WAYLAND_DISPLAY;
  process.env.ELECTRON_OVERRIDE_DIST_PATH = runtime.folder;
  return () => display.close();
}
