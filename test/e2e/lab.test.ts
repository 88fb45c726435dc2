/**
 * Real apps behind real firewalls, in network namespaces: a telling part of the matrix that
 * `npm run test:lab` runs as a whole. Skipped, with the reason, where there can be no namespaces.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readVoices } from "../../scripts/check-stage.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { Lab } from "../lab/lab.ts";
import { callThrough, type LabStage, openData } from "../lab/lab-call.ts";
import { whyNoLab } from "../lab/lab-needs.ts";
import { startLabNetwork } from "../lab/lab-network.ts";

const lifetime = new Lifetime();
const reason = await whyNoLab(process.env);
if (reason !== null) process.stdout.write(`The lab is skipped: ${reason}.\n`);
let stage: LabStage;

beforeAll(async () => {
  if (reason !== null) return;
  const folder = await mkdtemp(join(tmpdir(), "kith-lab-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  const runtime = await findRuntime(process.env);
  const data = await openData(folder);
  lifetime.atEnd(() => data.close());
  const voices = await readVoices({ data });
  const lab = await Lab.open();
  lifetime.atEnd(() => lab.close());
  const network = await startLabNetwork(lab, folder, data);
  lifetime.atEnd(() => network.close());
  stage = { lab, network, runtime, data, voices, env: process.env };
});
afterAll(() => lifetime.end());

// That they are relayed shows that the routers of the lab are what they say: without them each call would be direct.
describe.skipIf(reason !== null)(reason === null ? "firewalls" : `firewalls (skipped: ${reason})`, () => {
  test.each([
    ["cone", "cone", "direct"],
    ["udp-blocked", "web-only", "relayed-tcp"],
    ["public", "proxy-only", "relayed-tcp"],
  ] as const)("a call from behind %s to behind %s is %s, with sound both ways and no gap", async (a, b, path) => {
    // The wire has the 10 ms of a good line: the test is of firewalls, and the machine may be slow enough itself.
    const wire = { delayMs: 10, jitterMs: 1, loss: 0 };
    const result = await callThrough(stage, a, b, wire);
    expect(result).toMatchObject({ connected: true, path, gapFree: true, recognised: true });
  });
});
