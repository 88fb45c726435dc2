import { build } from "./app-build.ts";
import { type ElectronRuntime, findRuntime } from "./electron-runtime.ts";
import { checkSandbox } from "./launch-app.ts";
import { ensureSystemPackages } from "./system-packages.ts";

/** Whatever has to be there before a window can open: the build, Electron and what it needs of the system. */
export async function readyMachine(env: NodeJS.ProcessEnv): Promise<ElectronRuntime> {
  const [runtime] = await Promise.all([
    findRuntime(env).then(async (found) => {
      await ensureSystemPackages(found.folder, env);
      await checkSandbox(found);
      return found;
    }),
    build(["app", "login-server", "relay"]),
  ]);
  return runtime;
}
