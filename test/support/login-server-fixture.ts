/** Real login servers on real data folders for tests; everything is ended and removed afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type LoginServer, type LoginServerOptions, startLoginServer } from "../../login-server/server.ts";

/** A clock that a test moves. */
export class TestClock {
  #time = Date.UTC(2026, 10, 1);
  readonly now = () => this.#time;

  advance(ms: number): void {
    this.#time += ms;
  }
}

export const DAY_MS = 24 * 3_600_000;

/** To be called once in a test file. */
export function loginServers() {
  const servers = new Set<LoginServer>();
  const folders = new Set<string>();
  const cleanUps: (() => void)[] = [];

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
    for (const server of servers) await server.close();
    servers.clear();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    folders.clear();
  });

  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), "kith-login-"));
    folders.add(path);
    return path;
  };
  return {
    folder,
    async start(options: Partial<LoginServerOptions> = {}): Promise<LoginServer> {
      const server = await startLoginServer({ dataFolder: options.dataFolder ?? folder(), ...options });
      servers.add(server);
      return server;
    },
    /** Run after the test, before the servers end. */
    afterwards(cleanUp: () => void): void {
      cleanUps.push(cleanUp);
    },
  };
}
