import { join } from "node:path";
import fc from "fast-check";
import { sql } from "kysely";
import { afterEach, expect, test } from "vitest";
import { BuddyLists } from "../../login-server/buddy-lists.ts";
import { type BuddyAction, type BuddyState, buddyOutcome } from "../../login-server/buddy-rules.ts";
import { openSqliteStorage } from "../../login-server/storage/sqlite-storage.ts";
import type { Storage } from "../../login-server/storage/storage.ts";
import { UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { MAX_DELTA_ENTRIES } from "../../protocol/login-api.ts";
import { Encoder } from "../../protocol/wire-parser.ts";
import { handle } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";

const { folder } = loginServers();
const open: Storage[] = [];
afterEach(async () => {
  for (const storage of open.splice(0)) await storage.close();
});

/** Of a user: with a handle of 32 characters. */
const LONGEST_CERTIFICATE_BYTES = 307;
/** Control characters take most room in JSON. */
const LONGEST_GREETING = "\u0001".repeat(LIMITS.maxGreetingLength);

const idOf = (index: number) => UserId.parse(index.toString(16).padStart(40, "0"));
const nameOf = (index: number) => handle(`user${index}`);

/** Lists over a real database with accounts user0, user1 and so on. */
async function listsWith(accounts: number) {
  const storage = await openSqliteStorage(join(folder(), "login.db"), Date.now);
  open.push(storage);
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
  await storage.db.transaction().execute(async (transaction) => {
    for (const row of rows) await transaction.insertInto("accounts").values(row).execute();
  });
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
    { numRuns: 25 },
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

test("a long list comes in pages that each fit a frame, and nothing is left out", async () => {
  const people = MAX_DELTA_ENTRIES + 10;
  const { lists } = await listsWith(people + 1);
  for (let peer = 1; peer <= people; peer++) {
    await lists.request(idOf(peer), nameOf(0), LONGEST_GREETING);
  }
  const seen = new Set<string>();
  let since = 0;
  const sizes: number[] = [];
  for (let more = true; more; ) {
    const delta = await lists.delta(idOf(0), since);
    for (const entry of delta.entries) seen.add(entry.handle);
    const [frame] = new Encoder().encode({ type: 2, nsp: "/", data: ["buddies", delta] });
    expect(frame.length).toBeLessThanOrEqual(LIMITS.maxFrameBytes);
    sizes.push(delta.entries.length);
    ({ revision: since, more } = delta);
  }
  expect(sizes).toEqual([MAX_DELTA_ENTRIES, 10]);
  expect(seen.size).toBe(people);
});

/** Gives user0 a line of this state about each of user1, user2 and so on. */
async function fillList(storage: Storage, state: BuddyState, lines: number): Promise<void> {
  await storage.db.transaction().execute(async (transaction) => {
    for (let peer = 1; peer <= lines; peer++) {
      const line = { owner_id: idOf(0), peer_id: idOf(peer), state, greeting: "", revision: peer };
      await transaction.insertInto("buddy_lines").values(line).execute();
    }
    const whole = { buddy_revision: lines };
    await transaction.updateTable("accounts").set(whole).where("user_id", "=", idOf(0)).execute();
  });
}

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
  await sql`CREATE TRIGGER other_side BEFORE INSERT ON buddy_lines WHEN new.owner_id = ${sql.lit(idOf(1))}
    BEGIN SELECT raise(ABORT, 'no room'); END`.execute(storage.db);
  await expect(lists.request(idOf(0), nameOf(1), "")).rejects.toThrow("no room");
  expect(await lists.delta(idOf(0), 0)).toEqual({ entries: [], revision: 0, more: false });
  expect(await lists.delta(idOf(1), 0)).toEqual({ entries: [], revision: 0, more: false });
  expect(changes).toEqual([]);
});
