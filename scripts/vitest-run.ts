/** Runs Vitest over the project's tests and says how it ended: the last line is `N passed, N failed[, N skipped]`. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "./failure.ts";
import { Lifetime } from "./lifetime.ts";
import { startProgram } from "./owned-process.ts";
import { root } from "./repository.ts";
import { summarize, TestReport } from "./test-report.ts";

const reportFile = join(root, "out", "test-report.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");

/**
 * Sets the exit code of this process.
 * @param args files to run, or Vitest's options
 * @throws Failure if Vitest did not get to its end
 */
export async function runVitest(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const lifetime = new Lifetime();
  lifetime.endOnSignals();
  try {
    await rm(reportFile, { force: true });
    const reporters = ["default", join(root, "scripts", "second-chances.ts"), "json"];
    const options = ["--root", root, ...reporters.map((reporter) => `--reporter=${reporter}`)];
    const all = [vitest, "run", ...options, `--outputFile=${reportFile}`, ...args];
    const tests = await startProgram("vitest", process.execPath, all, env, "inherit");
    lifetime.atEnd(() => tests.end());
    const how = await tests.ended;
    const text = await readFile(reportFile, "utf8").catch(() => null);
    if (text === null) throw new Failure(`The tests did not get to their end: vitest ${how}.`);
    const { line, failed } = summarize(TestReport.parse(JSON.parse(text)), tests.child.exitCode === 0);
    process.stdout.write(`${line}\n`);
    process.exitCode = failed > 0 ? 1 : 0;
  } finally {
    await lifetime.end();
  }
}
