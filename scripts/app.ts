/** `npm run app -- [--profile=DIR] [--login-server=URL] [Chromium's switches]`: the desktop app alone. */
import { openDisplay } from "./display.ts";
import { commandLine } from "./launch-app.ts";
import { Lifetime } from "./lifetime.ts";
import { startProgram } from "./owned-process.ts";
import { say } from "./progress.mjs";
import { readyMachine } from "./ready-machine.ts";

const lifetime = new Lifetime();
lifetime.endOnSignals();
try {
  const runtime = await readyMachine(process.env);
  const display = await openDisplay("real", process.env);
  lifetime.atEnd(() => display.close());
  if (display.kind === "virtual") say(`There is no display: the window is on a virtual one (${display.env.DISPLAY}).`);
  const options = commandLine(process.argv.slice(2));
  const app = await startProgram("The app", runtime.executable, options, display.env, "inherit");
  lifetime.atEnd(() => app.end());
  await app.ended;
  process.exitCode = app.child.exitCode ?? 1;
} finally {
  await lifetime.end();
}
