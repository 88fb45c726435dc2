/** One of two instances is killed while people use both: real processes, as a host runs them. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import { networkIdAt, register, type SessionClient, type TestUser } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { buildLoginServer, endLoginServers, spawnLoginServer } from "../support/login-server-process.ts";
import { newDatabase } from "../support/postgres-server.ts";
import { type RedisServer, startRedis, whyNoRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const PAIRS = 4;
/** Each pair of people becomes buddies and parts again this often, before and after the kill. */
const ROUNDS = 3;
const servers = loginServers();
let redis: RedisServer;
let missing: string | null;

beforeAll(async () => {
  missing = await whyNoRedis();
  if (missing !== null) return;
  redis = await startRedis();
  await buildLoginServer();
});
beforeEach((context) => {
  if (missing !== null) context.skip(missing);
});
afterEach(endLoginServers);
afterAll(() => redis?.kill());

async function instance(folder: string, database: string) {
  const args = ["--data", folder, "--port", "0", "--registration", "open", "--log-level", "error"];
  const server = spawnLoginServer([...args, "--database", database, "--redis", redis.url]);
  return { ...server, url: (await server.ready).url };
}

/** Somebody who stays connected as the app does: when the instance dies they go to the next one. */
class Person {
  readonly user: TestUser;
  readonly #urls: readonly string[];
  readonly #networkId: string;
  readonly #list = new Map<UserId, string>();
  #revision = 0;
  #session: SessionClient | null = null;
  #read = 0;
  #reconnects = 0;

  constructor(user: TestUser, urls: readonly string[], networkId: string) {
    this.user = user;
    this.#urls = urls;
    this.#networkId = networkId;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  /** Does it, again and again if need be, until the server has said that it is done. */
  async act(method: "acceptBuddy" | "removeBuddy" | "requestBuddy", peer: TestUser): Promise<void> {
    for (;;) {
      const session = await this.#connected();
      try {
        if (method === "requestBuddy") await session.call(method, { handle: peer.handle, greeting: "" });
        else await session.call(method, { userId: peer.userId });
        return;
      } catch (error) {
        const code = KithError.from(error).code;
        // It was done just before the instance died.
        if (code === "already-requested" || code === "already-buddies") return;
        if (session.socket.connected && code !== "timeout") throw error;
      }
    }
  }

  /** What pushes, and one look after each reconnection, have told: nothing is polled. */
  async sees(peer: TestUser, state: string): Promise<void> {
    await until(
      async () => {
        await this.#connected();
        this.#readPushes();
        return this.#list.get(peer.userId) === state;
      },
      60_000,
      () => `${this.user.handle} sees ${peer.handle} as ${state}, not ${this.#list.get(peer.userId)}`,
    );
  }

  async #connected(): Promise<SessionClient> {
    while (!this.#session?.socket.connected) {
      if (this.#session) this.#reconnects++;
      const url = this.#urls[this.#reconnects % this.#urls.length] ?? "";
      const session = servers.connect(url);
      try {
        await session.open(this.#networkId, this.user);
        this.#session = session;
        this.#read = 0;
        await this.#sync(session);
      } catch {
        session.close();
        this.#session = session;
      }
    }
    return this.#session;
  }

  async #sync(session: SessionClient): Promise<void> {
    for (let more = true; more; ) {
      const delta = await session.call("syncBuddies", { since: this.#revision });
      this.#take(delta);
      more = delta.more;
    }
  }

  #readPushes(): void {
    const pushes = this.#session?.pushes("buddies") ?? [];
    for (; this.#read < pushes.length; this.#read++) {
      const delta = pushes[this.#read];
      if (delta) this.#take(delta);
    }
  }

  #take(delta: { entries: readonly { userId: UserId; state: string; revision: number }[]; revision: number }): void {
    for (const { userId, state } of delta.entries) this.#list.set(userId, state);
    this.#revision = Math.max(this.#revision, delta.revision);
  }
}

test("an instance that is killed in the middle of a storm takes no change with it", async () => {
  const base = inject("database");
  if (base?.kind !== "postgres") throw new Error("no PostgreSQL");
  const database = await newDatabase(base.url);
  const folders = [servers.folder(), servers.folder()] as const;
  const first = await instance(folders[0], database);
  copyFileSync(join(folders[0], "network-keys.json"), join(folders[1], "network-keys.json"));
  const second = await instance(folders[1], database);
  const networkId = await networkIdAt(first.url);

  const person = async (name: string, urls: readonly string[]) =>
    new Person(await register(urls[0] ?? "", name), urls, networkId);
  const pairs = await Promise.all(
    Array.from({ length: PAIRS }, async (_, index) => ({
      asking: await person(`asking${index}`, [first.url, second.url]),
      answering: await person(`answering${index}`, [second.url, first.url]),
    })),
  );
  let rounds = 0;
  const storm = pairs.map(async ({ asking, answering }) => {
    for (let round = 0; round < 2 * ROUNDS; round++) {
      await asking.act("requestBuddy", answering.user);
      await answering.sees(asking.user, "asks-me");
      await answering.act("acceptBuddy", asking.user);
      await asking.sees(answering.user, "buddy");
      rounds++;
      if (round + 1 === 2 * ROUNDS) break;
      await asking.act("removeBuddy", answering.user);
      await answering.sees(asking.user, "removed");
    }
  });
  await until(() => rounds >= PAIRS * ROUNDS);
  first.child.kill("SIGKILL");
  await Promise.all(storm);
  for (const { asking, answering } of pairs) {
    expect(asking.reconnects).toBeGreaterThan(0);
    await asking.sees(answering.user, "buddy");
    await answering.sees(asking.user, "buddy");
  }
});
