/**
 * `npm run fuzz [-- [--runs N] NAME ...]`: the nightly mode of the tests that feed decoders with what an
 * enemy may send: a million inputs each, instead of ten thousand. NAME is part of a test file's name.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "./failure.ts";
import { root } from "./repository.ts";
import { runVitest } from "./vitest-run.ts";

const NIGHTLY_RUNS = 1_000_000;
/** Against tests that hang; a machine that is busy may take hours for all. */
const TEST_TIMEOUT_MS = 6 * 3_600_000;

const { values, positionals } = parseArgs({ options: { runs: { type: "string" } }, allowPositionals: true });
const runs = Number(values.runs ?? NIGHTLY_RUNS);
if (!Number.isSafeInteger(runs) || runs < 1) throw new Failure("--runs takes a number of inputs, such as 1000000.");

const files = (await fuzzTests()).filter(
  (file) => positionals.length === 0 || positionals.some((name) => file.includes(name)),
);
if (files.length === 0) throw new Failure(`No such tests. There are: ${(await fuzzTests()).join(", ")}.`);
process.stdout.write(`${runs} inputs for each decoder in ${files.join(", ")}\n`);
const timeouts = [`--testTimeout=${TEST_TIMEOUT_MS}`, "--retry=0"];
await runVitest([...files, ...timeouts], { ...process.env, FUZZ_RUNS: String(runs) });

/** Tests that take the number of their inputs from outside. */
async function fuzzTests(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ["test/unit", "test/integration"]) {
    for (const name of (await readdir(join(root, folder))).sort()) {
      if (name.endsWith(".test.ts") && (await readFile(join(root, folder, name), "utf8")).includes("FUZZ_RUNS")) {
        found.push(`${folder}/${name}`);
      }
    }
  }
  return found;
}
