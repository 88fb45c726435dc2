/** Real login servers on real data folders for tests; everything is ended and removed afterwards. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, inject } from "vitest";
import { type LoginServer, type LoginServerOptions, startLoginServer } from "../../login-server/server.ts";
import { networkIdAt, SessionClient, type TestUser } from "./login-api-client.ts";
import { contentOf, newDatabase } from "./postgres-server.ts";

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

/** Where the login server of a data folder has its tables: the same place whenever it is started again. */
function databasesOfFolders() {
  const base = inject("database");
  const urls = new Map<string, string>();
  if (base?.kind === "missing") beforeEach((context) => context.skip(base.why));
  return {
    async of(folder: string): Promise<{ database?: string }> {
      if (base?.kind !== "postgres") return {};
      const database = urls.get(folder) ?? (await newDatabase(base.url));
      urls.set(folder, database);
      return { database };
    },
  };
}

/** To be called once in a test file. The servers keep their tables in what the project of the test says. */
export function loginServers() {
  const databases = databasesOfFolders();
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
      const dataFolder = options.dataFolder ?? folder();
      const server = await startLoginServer({
        dataFolder,
        registration: "open",
        ...(await databases.of(dataFolder)),
        ...options,
      });
      servers.add(server);
      return server;
    },
    /** Where the server of that folder has its tables, if not in the folder. */
    database: databases.of,
    /** All that is in the database of a server that has ended. */
    async stored(dataFolder: string): Promise<string> {
      const { database } = await databases.of(dataFolder);
      return database === undefined ? readFileSync(join(dataFolder, "login.db"), "latin1") : contentOf(database);
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
