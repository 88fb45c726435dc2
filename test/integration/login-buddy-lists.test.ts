import { join } from "node:path";
import fc from "fast-check";
import { sql } from "kysely";
import { afterEach, expect, inject, test } from "vitest";
import { BuddyLists } from "../../login-server/buddies/buddy-lists.ts";
import { type BuddyAction, type BuddyState, buddyOutcome } from "../../login-server/buddies/buddy-rules.ts";
import { openPostgresStorage } from "../../login-server/storage/postgres-storage.ts";
import { openSqliteStorage } from "../../login-server/storage/sqlite-storage.ts";
import type { Storage } from "../../login-server/storage/storage.ts";
import { UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { BuddyEntry } from "../../protocol/login-api.ts";
import { Encoder } from "../../protocol/wire-parser.ts";
import { handle } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";

const { folder, database: databaseOf } = loginServers();
const open: Storage[] = [];
afterEach(async () => {
  for (const storage of open.splice(0)) await storage.close();
});

/** Of a user: with a handle of 32 characters. */
const LONGEST_CERTIFICATE_BYTES = 307;
/** Control characters take most room in JSON. */
const LONGEST_GREETING = "\u0001".repeat(LIMITS.maxGreetingLength);

const ROWS_AT_ONCE = 1_000;

const idOf = (index: number) => UserId.parse(index.toString(16).padStart(40, "0"));
const nameOf = (index: number) => handle(`user${index}`);

async function openStorage(): Promise<Storage> {
  const path = folder();
  const { database } = await databaseOf(path);
  const storage = await (database === undefined
    ? openSqliteStorage(join(path, "login.db"), Date.now)
    : openPostgresStorage(database, Date.now));
  open.push(storage);
  return storage;
}

/** Lists over a real database with accounts user0, user1 and so on. */
async function listsWith(accounts: number) {
  const storage = await openStorage();
  const changes: UserId[] = [];
  const blank = new Uint8Array(32);
  const rows = Array.from({ length: accounts }, (_, index) => ({
    user_id: idOf(index),
    handle: nameOf(index),
    opaque_record: "",
    vault: blank,
    sign_key: blank,
    box_key: blank,
    key_binding: blank,
    certificate: new Uint8Array(LONGEST_CERTIFICATE_BYTES),
    created_at: 0,
  }));
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    await storage.db
      .insertInto("accounts")
      .values(rows.slice(at, at + ROWS_AT_ONCE))
      .execute();
  }
  return { lists: new BuddyLists({ db: storage.db, changed: (owner) => changes.push(owner) }), changes, storage };
}

function act(lists: BuddyLists, action: BuddyAction, actor: number, peer: number): Promise<unknown> {
  if (action === "request") return lists.request(idOf(actor), nameOf(peer), "");
  return lists[action](idOf(actor), idOf(peer));
}

test("after any actions of several people at once, every list is what the rules say, and syncs by deltas", async () => {
  const PEOPLE = 4;
  const person = fc.integer({ min: 0, max: PEOPLE - 1 });
  const action = fc.constantFrom<BuddyAction>("request", "accept", "decline", "remove");
  const step = fc.record({ action, actor: person, peer: person, sync: person });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { lists, changes } = await listsWith(PEOPLE);
      const model = new Map<string, BuddyState>();
      const replicas = Array.from({ length: PEOPLE }, () => ({ revision: 0, lines: new Map<string, BuddyState>() }));
      const sync = async (owner: number) => {
        const replica = replicas[owner] ?? { revision: 0, lines: new Map() };
        const { entries, revision } = await lists.delta(idOf(owner), replica.revision);
        for (const entry of entries) {
          expect(entry.revision).toBeGreaterThan(replica.revision);
          replica.lines.set(entry.handle, entry.state);
        }
        replica.revision = revision;
      };
      for (const { action, actor, peer, sync: syncing } of steps) {
        const outcome = buddyOutcome(action, model.get(`${actor} ${peer}`) ?? null);
        const told = changes.length;
        if (actor === peer || outcome.kind === "refused") {
          const expected = actor === peer ? "buddy-is-self" : outcome.kind === "refused" ? outcome.code : "";
          await expect(act(lists, action, actor, peer)).rejects.toMatchObject({ code: expected });
          expect(changes).toHaveLength(told);
        } else {
          await act(lists, action, actor, peer);
          if (outcome.kind === "changed") {
            model.set(`${actor} ${peer}`, outcome.mine);
            model.set(`${peer} ${actor}`, outcome.theirs);
            expect(changes.slice(told)).toEqual([idOf(actor), idOf(peer)]);
          }
        }
        await sync(syncing);
      }
      for (let owner = 0; owner < PEOPLE; owner++) {
        await sync(owner);
        for (let peer = 0; peer < PEOPLE; peer++) {
          expect(replicas[owner]?.lines.get(nameOf(peer))).toBe(model.get(`${owner} ${peer}`));
        }
      }
    }),
    { numRuns: inject("database") ? 10 : 25 },
  );
});

test("actions between the same two people at the same time follow each other", async () => {
  const { lists } = await listsWith(2);
  const actions: BuddyAction[] = ["request", "accept", "decline", "remove", "request", "accept"];
  await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) => act(lists, actions[index % 6] ?? "request", index % 2, 1 - (index % 2))),
  );
  const [mine, theirs] = await Promise.all([lists.delta(idOf(0), 0), lists.delta(idOf(1), 0)]);
  const mirror = { buddy: "buddy", removed: "removed", "asked-by-me": "asks-me", "asks-me": "asked-by-me" };
  expect(theirs.entries[0]?.state).toBe(mirror[mine.entries[0]?.state ?? "removed"]);
  expect(theirs.revision).toBe(mine.revision);
});

/** Gives user0 a line of this state about each of user1, user2 and so on. */
async function fillList(
  { db }: Storage,
  state: BuddyState,
  count: number,
  { greeting = "", label = null }: { readonly greeting?: string; readonly label?: Uint8Array | null } = {},
): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) => ({
    owner_id: idOf(0),
    peer_id: idOf(index + 1),
    state,
    greeting,
    label,
    revision: index + 1,
  }));
  for (let at = 0; at < count; at += ROWS_AT_ONCE) {
    await db
      .insertInto("buddy_lines")
      .values(lines.slice(at, at + ROWS_AT_ONCE))
      .execute();
  }
  await db.updateTable("accounts").set({ buddy_revision: count }).where("user_id", "=", idOf(0)).execute();
}

/** All of user0's list, page by page, each of which has to fit a frame. */
async function pagesOf(lists: BuddyLists): Promise<BuddyEntry[][]> {
  const pages: BuddyEntry[][] = [];
  for (let since = 0, more = true; more; ) {
    const delta = await lists.delta(idOf(0), since);
    const [frame] = new Encoder().encode({ type: 3, nsp: "/", id: 2 ** 31, data: [{ ok: true, value: delta }] });
    expect(frame.length).toBeLessThanOrEqual(LIMITS.maxFrameBytes);
    pages.push(delta.entries);
    ({ revision: since, more } = delta);
  }
  return pages;
}

test("the longest list that there may be comes in pages that each fit a frame, and nothing is left out", async () => {
  const people = LIMITS.maxBuddies;
  const { lists, storage } = await listsWith(people + 1);
  const label = new Uint8Array(LIMITS.maxBuddyLabelBytes);
  await fillList(storage, "asks-me", people, { greeting: LONGEST_GREETING, label });
  const pages = await pagesOf(lists);
  expect(pages.flat().map(({ revision }) => revision)).toEqual(Array.from({ length: people }, (_, index) => index + 1));
  expect(new Set(pages.flat().map(({ handle }) => handle)).size).toBe(people);
});

test("an ordinary list of five hundred takes a device few requests", async () => {
  const { lists, storage } = await listsWith(501);
  await fillList(storage, "buddy", 500);
  const pages = await pagesOf(lists);
  expect(pages.flat().length).toBe(500);
  expect(pages.length).toBeLessThanOrEqual(3);
});

test("nobody has more requests open towards others than the limit", async () => {
  const limit = LIMITS.maxRequestsSent;
  const { lists, storage } = await listsWith(limit + 2);
  await fillList(storage, "asked-by-me", limit - 1);
  await lists.request(idOf(0), nameOf(limit), "");
  const full = { code: "too-large", details: { limit: `${limit} people` } };
  await expect(lists.request(idOf(0), nameOf(limit + 1), "")).rejects.toMatchObject(full);
  await lists.accept(idOf(limit), idOf(0));
  await lists.request(idOf(0), nameOf(limit + 1), "");
});

test("a crowd cannot fill somebody's list with requests", async () => {
  const limit = LIMITS.maxRequestsReceived;
  const { lists, storage } = await listsWith(limit + 2);
  await fillList(storage, "asks-me", limit - 1);
  await lists.request(idOf(limit), nameOf(0), "");
  const full = { code: "too-large", details: { limit: `${limit} people` } };
  await expect(lists.request(idOf(limit + 1), nameOf(0), "")).rejects.toMatchObject(full);
  await lists.decline(idOf(0), idOf(1));
  await lists.request(idOf(limit + 1), nameOf(0), "");
});

test("a full buddy list takes nobody more until there is room", async () => {
  const limit = LIMITS.maxBuddies;
  const { lists, storage } = await listsWith(limit + 2);
  await fillList(storage, "buddy", limit);
  const full = { code: "too-large", details: { limit: `${limit} people` } };
  await expect(lists.request(idOf(0), nameOf(limit + 1), "")).rejects.toMatchObject(full);
  await expect(lists.request(idOf(limit + 1), nameOf(0), "")).rejects.toMatchObject(full);
  await lists.remove(idOf(0), idOf(1));
  await lists.request(idOf(limit + 1), nameOf(0), "");
});

test("a change that cannot be stored whole is not stored at all", async () => {
  const { lists, storage, changes } = await listsWith(2);
  for (const statement of refusingTrigger(storage.engine)) await sql.raw(statement).execute(storage.db);
  await expect(lists.request(idOf(0), nameOf(1), "")).rejects.toThrow("no room");
  expect(await lists.delta(idOf(0), 0)).toEqual({ entries: [], revision: 0, more: false });
  expect(await lists.delta(idOf(1), 0)).toEqual({ entries: [], revision: 0, more: false });
  expect(changes).toEqual([]);
});

test("whoever cannot be blocked is not removed either", async () => {
  const { lists, storage, changes } = await listsWith(2);
  await lists.request(idOf(0), nameOf(1), "");
  await lists.accept(idOf(1), idOf(0));
  for (const statement of refusingTrigger(storage.engine, "UPDATE", "new.blocked = 1")) {
    await sql.raw(statement).execute(storage.db);
  }
  const before = [await lists.delta(idOf(0), 0), await lists.delta(idOf(1), 0)];
  changes.length = 0;
  await expect(lists.block(idOf(0), idOf(1))).rejects.toThrow("no room");
  expect([await lists.delta(idOf(0), 0), await lists.delta(idOf(1), 0)]).toEqual(before);
  expect(changes).toEqual([]);
});

/** That the database refuses it; without being told otherwise, whatever is inserted into user1's list. */
function refusingTrigger(
  engine: Storage["engine"],
  change: "INSERT" | "UPDATE" = "INSERT",
  which = `new.owner_id = '${idOf(1)}'`,
): string[] {
  const when = `BEFORE ${change} ON buddy_lines FOR EACH ROW WHEN (${which})`;
  if (engine === "sqlite") return [`CREATE TRIGGER other_side ${when} BEGIN SELECT raise(ABORT, 'no room'); END`];
  return [
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$",
    `CREATE TRIGGER other_side ${when} EXECUTE FUNCTION refuse()`,
  ];
}
