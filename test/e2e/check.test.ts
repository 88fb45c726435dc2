/** The command that proves an installation, run as anyone runs it. */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../scripts/repository.ts";
import { runCommand } from "../../scripts/run-command.ts";
import { encodeWave } from "../../scripts/speech-file.ts";

test("npm start -- --check tells how the call ended whose callee was killed, and saves pictures", async () => {
  const { code, report } = await check("--scenario", "callee-killed");
  expect(report).toMatchObject({
    ok: true,
    scenario: "callee-killed",
    call: { path: "direct", audioHeard: true, end: expect.stringMatching(/^(peer-vanished|connection-lost)$/) },
    chat: { sent: 2, received: 2 },
  });
  expect(code).toBe(0);
  for (const picture of report.screenshots) expect(existsSync(join(root, picture))).toBe(true);
});

test("npm start -- --check fails, and says why, when there is no speech to be heard", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kith-e2e-"));
  try {
    const silence = join(folder, "silence.wav");
    await writeFile(silence, encodeWave({ samples: new Float32Array(16_000), sampleRate: 16_000 }));
    const { code, report } = await check("--speech-alice", silence);
    expect(report).toMatchObject({ ok: false, reason: expect.stringContaining("hardly any speech") });
    expect(code).not.toBe(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

interface Report {
  readonly ok: boolean;
  readonly screenshots: readonly string[];
}

async function check(...options: string[]): Promise<{ code: number | null; report: Report }> {
  const script = join(root, "scripts", "bootstrap.mjs");
  const { code, stdout } = await runCommand(process.execPath, [script, "start", "--check", "--json", ...options]);
  return { code, report: JSON.parse(stdout.trim().split("\n").at(-1) ?? "") };
}
