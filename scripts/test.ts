/** `npm test [-- FILE ... | vitest's options]`: runs the tests; the last line is `N passed, N failed[, N skipped]`. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "./failure.ts";
import { Lifetime } from "./lifetime.ts";
import { startProgram } from "./owned-process.ts";
import { root } from "./repository.ts";
import { summarize, TestReport } from "./test-report.ts";

const reportFile = join(root, "out", "test-report.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const lifetime = new Lifetime();
lifetime.endOnSignals();
try {
  await rm(reportFile, { force: true });
  const reporters = ["default", join(root, "scripts", "second-chances.ts"), "json"];
  const args = [vitest, "run", "--root", root, ...reporters.map((reporter) => `--reporter=${reporter}`)];
  args.push(`--outputFile=${reportFile}`, ...process.argv.slice(2));
  const tests = await startProgram("vitest", process.execPath, args, process.env, "inherit");
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
