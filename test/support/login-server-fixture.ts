/** Real login servers on real data folders for tests; everything is ended and removed afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type LoginServer, type LoginServerOptions, startLoginServer } from "../../login-server/server.ts";
import { networkIdAt, SessionClient, type TestUser } from "./login-api-client.ts";

/** A clock that a test moves. */
export class TestClock {
  #time = Date.UTC(2026, 10, 1);
  readonly now = () => this.#time;

  advance(ms: number): void {
    this.#time += ms;
  }
}

export const DAY_MS = 24 * 3_600_000;

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "kith-login-"));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** To be called once in a test file. */
export function loginServers() {
  const servers = new Set<LoginServer>();
  const folders = new Set<string>();
  const clients = new Set<SessionClient>();

  afterEach(async () => {
    for (const client of clients) client.close();
    clients.clear();
    for (const server of servers) await server.close();
    servers.clear();
    for (const folder of folders) removeFolder(folder);
    folders.clear();
  });

  const folder = (): string => {
    const path = makeFolder();
    folders.add(path);
    return path;
  };
  const connect = (url: string): SessionClient => {
    const client = new SessionClient(url);
    clients.add(client);
    return client;
  };
  return {
    folder,
    async start(options: Partial<LoginServerOptions> = {}): Promise<LoginServer> {
      const server = await startLoginServer({
        dataFolder: options.dataFolder ?? folder(),
        registration: "open",
        ...options,
      });
      servers.add(server);
      return server;
    },
    /** Ends with the test a server that the test has started itself. */
    adopt: (server: LoginServer) => void servers.add(server),
    /** A socket that is not open yet. */
    connect,
    /** An open session of this user's device. */
    async open(url: string, user: TestUser): Promise<SessionClient> {
      const client = connect(url);
      await client.open(await networkIdAt(url), user);
      return client;
    },
  };
}
