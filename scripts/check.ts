/** `npm start -- --check`: the whole of Kith, unattended, with a report of what held. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { photograph } from "./check-acts.ts";
import { type CheckReport, describeReport, emptyReport } from "./check-report.ts";
import { play, SHORT_RING_MS } from "./check-scenarios.ts";
import { openStage } from "./check-stage.ts";
import { DataFolder } from "./data-folder.ts";
import { openDisplay } from "./display.ts";
import { Lifetime } from "./lifetime.ts";
import { step } from "./progress.mjs";
import { readyMachine } from "./ready-machine.ts";
import { root } from "./repository.ts";
import type { CheckOptions } from "./start-options.ts";

const MAX_REASON_LENGTH = 600;
const PICTURES = join(root, "out", "check");

/** Plays the scenario and prints the report as the last thing of all; the exit code is 0 only if all of it held. */
export async function check(options: CheckOptions): Promise<void> {
  const report = emptyReport(options.scenario);
  const lifetime = new Lifetime();
  lifetime.endOnSignals();
  try {
    await run(options, report, lifetime);
    report.ok = true;
  } catch (error) {
    report.reason = inOneLine(error);
  } finally {
    await lifetime.end();
  }
  if (!report.ok) process.exitCode = 1;
  report.screenshots.splice(0, Infinity, ...report.screenshots.map((file) => relative(root, file)));
  const json = JSON.stringify(report);
  await writeFile(join(PICTURES, "report.json"), json).catch(() => {});
  process.stdout.write(`${options.json ? json : describeReport(report)}\n`);
}

async function run(options: CheckOptions, report: CheckReport, lifetime: Lifetime): Promise<void> {
  await rm(PICTURES, { recursive: true, force: true });
  await mkdir(PICTURES, { recursive: true });
  const runtime = await readyMachine(process.env);
  const data = await openData(options.dataFolder, lifetime);
  const display = await openDisplay("virtual", process.env);
  lifetime.atEnd(() => display.close());
  const ringMs = options.ringMs ?? (options.scenario === "no-answer" ? SHORT_RING_MS : null);
  const stage = await step("Starting the servers and both apps", () =>
    openStage({ runtime, data, env: display.env, speech: options.speech, ringMs }, lifetime),
  );
  report.electron = await stage.alice.app.electron.evaluate(() => process.versions.electron ?? null);
  const story = play(options.scenario, { stage, pictures: PICTURES, ringMs: ringMs ?? 0, report });
  const broken = stage.network.broken.then((sentence) => {
    throw new Error(sentence);
  });
  try {
    await Promise.race([story, broken]);
  } catch (error) {
    await photograph([stage.alice, stage.bob], "failed", PICTURES, report).catch(() => {});
    throw error;
  }
}

/** With the compiler's words, or a browser's log, as far as they help. */
function inOneLine(error: unknown): string {
  const text = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
  return text.trim().replace(/\s+/g, " ").slice(0, MAX_REASON_LENGTH);
}

/** The given folder, or a fresh one that is removed at the end. */
async function openData(folder: string | null, lifetime: Lifetime): Promise<DataFolder> {
  const path = folder ?? (await mkdtemp(join(tmpdir(), "kith-check-")));
  if (folder === null) lifetime.atEnd(() => rm(path, { recursive: true, force: true }));
  const data = await DataFolder.open(path);
  lifetime.atEnd(() => data.close());
  return data;
}
