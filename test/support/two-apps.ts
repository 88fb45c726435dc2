/** Alice's and Bob's real apps on a network of their own, for the end-to-end tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStage, type Stage } from "../../scripts/check-stage.ts";
import { DataFolder } from "../../scripts/data-folder.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { fakeMicrophone } from "../../scripts/launch-app.ts";
import { Lifetime } from "../../scripts/lifetime.ts";

export interface TwoApps extends Stage {
  readonly password: string;
  /** Another app on the same network, on a fresh profile. */
  openAnother(): Promise<DrivenApp>;
  close(): Promise<void>;
}

/** Starts the servers and both apps; Alice and Bob are buddies. */
export async function openTwoApps({ ringMs = null }: { ringMs?: number | null } = {}): Promise<TwoApps> {
  const lifetime = new Lifetime();
  try {
    const folder = await mkdtemp(join(tmpdir(), "kith-e2e-"));
    lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
    const data = await DataFolder.open(folder);
    lifetime.atEnd(() => data.close());
    const runtime = await findRuntime(process.env);
    const stage = await openStage({ runtime, data, env: process.env, ringMs }, lifetime);
    let others = 0;
    return {
      ...stage,
      password: data.settings.password,
      close: () => lifetime.end(),
      async openAnother() {
        others++;
        const flags = fakeMicrophone(data.in("speech-bob.wav"));
        const launch = { profile: data.in(`other-${others}`), loginServer: stage.network.url, flags };
        const app = await driveApp(runtime, launch, process.env);
        lifetime.atEnd(() => app.quit());
        return app;
      },
    };
  } catch (error) {
    await lifetime.end();
    throw error;
  }
}
