import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import Libsql from "libsql";
import { expect, test } from "vitest";
import { claimOf } from "../../login-server/accounts/handle-skeleton.ts";
import { openDataFolder } from "../../login-server/data-folder.ts";
import { claimHandlesAnew } from "../../login-server/storage/handle-claims.ts";
import { MIGRATIONS, migrate } from "../../login-server/storage/migrations.ts";
import { openSqliteStorage } from "../../login-server/storage/sqlite-storage.ts";
import type { Storage } from "../../login-server/storage/storage.ts";
import { refusalFor } from "../../login-server/storage/storage-fault.ts";
import { loginServers } from "../support/login-server-fixture.ts";

const { folder } = loginServers();
const now = () => 1_000;
const refused = (code: string) => expect.objectContaining({ code });

async function withStorage<T>(path: string, use: (storage: Storage) => Promise<T>): Promise<T> {
  const storage = await openSqliteStorage(path, now);
  try {
    return await use(storage);
  } finally {
    await storage.close();
  }
}

const counterOf = (storage: Storage) =>
  storage.db
    .selectFrom("counters")
    .select("value")
    .executeTakeFirstOrThrow()
    .then(({ value }) => value);

test("the file is durable, checked for its references, and bytes come back as they went in", async () => {
  await withStorage(join(folder(), "login.db"), async ({ db }) => {
    const pragma = async (name: string) =>
      Object.values((await sql<object>`PRAGMA ${sql.raw(name)}`.execute(db)).rows[0] ?? {})[0];
    expect(await pragma("journal_mode")).toBe("wal");
    expect(await pragma("synchronous")).toBe(2);
    expect(await pragma("foreign_keys")).toBe(1);
    const line = { owner_id: "00", peer_id: "11", state: "buddy", greeting: "", revision: 1 } as never;
    await expect(db.insertInto("buddy_lines").values(line).execute()).rejects.toThrow("FOREIGN KEY");
    for (const list of [new Uint8Array(), new Uint8Array([0, 255, 7])]) {
      await db.updateTable("supernode_list").set({ list }).execute();
      expect((await db.selectFrom("supernode_list").select("list").executeTakeFirstOrThrow()).list).toEqual(list);
    }
  });
});

test("what was deleted is scrubbed from the log between the transactions of others, and while somebody reads, at once not", async () => {
  const path = join(folder(), "login.db");
  await withStorage(path, async (storage) => {
    const logged = () => readFileSync(`${path}-wal`).length;
    let end = () => {};
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const transaction = storage.db.transaction().execute(async (db) => {
      await db.updateTable("counters").set({ value: 1 }).execute();
      await held;
    });
    const scrubbing = storage.scrub();
    end();
    await Promise.all([transaction, scrubbing]);
    expect(logged()).toBe(0);

    const reader = new Libsql(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT * FROM counters").all();
    await storage.db.updateTable("counters").set({ value: 2 }).execute();
    const startedAt = performance.now();
    await storage.scrub();
    // SQLite's patience with writers would be five seconds.
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(logged()).toBeGreaterThan(0);
    reader.exec("COMMIT");
    await storage.scrub();
    expect(logged()).toBe(0);
    reader.close();
  });
});

test("opening again migrates nothing and keeps everything", async () => {
  const path = join(folder(), "login.db");
  await withStorage(path, ({ db }) => db.updateTable("counters").set({ value: 41 }).execute());
  expect(await withStorage(path, counterOf)).toBe(41);
  const applied = await withStorage(path, ({ db }) => db.selectFrom("migrations").selectAll().execute());
  expect(applied).toEqual(MIGRATIONS.map(({ name }, index) => ({ version: index + 1, name, applied_at: 1_000 })));
});

test("a migration that fails leaves the database as it was before it", async () => {
  const path = join(folder(), "login.db");
  await withStorage(path, async (storage) => {
    const failing = {
      name: "half of it",
      up: async (db: Storage["db"]) => {
        await db.schema.createTable("half").addColumn("id", "text").execute();
        await db.updateTable("counters").set({ value: 99 }).execute();
        await db.schema.createTable("half").addColumn("id", "text").execute();
      },
    };
    const types = { bytes: "blob" } as const;
    await expect(migrate(storage.db, types, now, path, { migrations: [...MIGRATIONS, failing] })).rejects.toThrow(
      "half",
    );
    expect(await counterOf(storage)).toBe(0);
    expect(await storage.db.selectFrom("migrations").selectAll().execute()).toHaveLength(MIGRATIONS.length);
    await expect(sql`SELECT * FROM half`.execute(storage.db)).rejects.toThrow("no such table");
  });
});

test("handles that were claimed by another rule are claimed by today's, and those of deleted accounts stay claimed", async () => {
  await withStorage(join(folder(), "login.db"), async ({ db }) => {
    const bytes = new Uint8Array([1]);
    const account = { user_id: "11", handle: "claire", opaque_record: "r", vault: bytes, certificate: bytes };
    const keys = { sign_key: bytes, box_key: bytes, key_binding: bytes };
    await db
      .insertInto("accounts")
      .values({ ...account, ...keys, created_at: 1 } as never)
      .execute();
    const claims = [
      { claim: "another rule's", user_id: "11" },
      { claim: "a deleted account's", user_id: null },
    ];
    await db
      .insertInto("handle_claims")
      .values(claims as never)
      .execute();
    await claimHandlesAnew(db);
    const kept = await db.selectFrom("handle_claims").select(["claim", "user_id"]).orderBy("user_id").execute();
    expect(kept).toHaveLength(2);
    expect(kept).toContainEqual({ claim: "a deleted account's", user_id: null });
    expect(kept).toContainEqual({ claim: claimOf("c1aire"), user_id: "11" });
  });
});

test("a database of a newer version is refused and not touched", async () => {
  const data = folder();
  await (await openDataFolder(data, now)).close();
  const path = join(data, "login.db");
  const version = MIGRATIONS.length + 1;
  await withStorage(path, ({ db }) =>
    db.insertInto("migrations").values({ version, name: "from the future", applied_at: 0 }).execute(),
  );
  const before = readFileSync(path);
  await expect(openDataFolder(data, now)).rejects.toEqual(refused("data-newer"));
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a damaged database is refused and not touched, wherever the damage is", async () => {
  const data = folder();
  const opened = await openDataFolder(data, now);
  await opened.storage.db.transaction().execute(async (transaction) => {
    for (let index = 0; index < 400; index++) {
      const row = { supernode_id: `${index}`.padStart(40, "0"), sign_key: Buffer.from(`${index}`), host: "h", port: 1 };
      const times = {
        issued_at: 0,
        expires_at: 0,
        tls_fingerprint: new Uint8Array(32),
        certificate: new Uint8Array(300),
      };
      await transaction
        .insertInto("supernodes")
        .values({ ...row, ...times } as never)
        .execute();
    }
  });
  await opened.close();
  const path = join(data, "login.db");
  const whole = readFileSync(path);
  const overwritten = Buffer.from(whole);
  overwritten.fill(0x55, whole.length - 60_000, whole.length - 20_000);
  const damages = [Buffer.from("not a database at all ".repeat(1_000)), whole.subarray(0, 5_000), overwritten];
  for (const damaged of damages) {
    writeFileSync(path, damaged);
    await expect(openDataFolder(data, now)).rejects.toEqual(refused("data-corrupt"));
    expect(readFileSync(path).equals(damaged)).toBe(true);
  }
  writeFileSync(path, whole);
  await (await openDataFolder(data, now)).close();
});

test("a start that was cut off before the keys were written is simply repeated", async () => {
  const data = folder();
  const first = await openDataFolder(data, now);
  await first.close();
  rmSync(join(data, "network-keys.json"));
  const second = await openDataFolder(data, now);
  expect(second.keys.networkId).not.toBe(first.keys.networkId);
  await second.close();
  const third = await openDataFolder(data, now);
  expect(third.keys.networkId).toBe(second.keys.networkId);
  await third.close();
});

test("lost keys are not replaced while somebody relies on them", async () => {
  const data = folder();
  const first = await openDataFolder(data, now);
  const blank = new Uint8Array();
  const account = { user_id: "00", handle: "alice", opaque_record: "", vault: blank, sign_key: blank, box_key: blank };
  const row = { ...account, key_binding: blank, certificate: blank, created_at: 0 } as never;
  await first.storage.db.insertInto("accounts").values(row).execute();
  await first.close();
  rmSync(join(data, "network-keys.json"));
  await expect(openDataFolder(data, now)).rejects.toEqual(refused("data-missing"));
});

test("a lost or emptied database is not replaced while its keys are there", async () => {
  const data = folder();
  await (await openDataFolder(data, now)).close();
  const path = join(data, "login.db");
  writeFileSync(path, "");
  await expect(openDataFolder(data, now)).rejects.toEqual(refused("data-missing"));
  rmSync(path);
  await expect(openDataFolder(data, now)).rejects.toEqual(refused("data-missing"));
});

test("keys of another network do not serve this one's database", async () => {
  const [ours, theirs] = [folder(), folder()];
  for (const data of [ours, theirs]) await (await openDataFolder(data, now)).close();
  writeFileSync(join(ours, "network-keys.json"), readFileSync(join(theirs, "network-keys.json")));
  await expect(openDataFolder(ours, now)).rejects.toEqual(refused("data-corrupt"));
});

test.each([
  ["empty", "", "data-corrupt"],
  ["cut short", '{"version":1,"networkSeed":"', "data-corrupt"],
  ["without a seed", '{"version":1,"opaqueSetup":"x","enrolmentToken":"0123456789abcdef"}', "data-corrupt"],
  ["of a newer version", '{"version":3}', "data-newer"],
])("a keys file that is %s is refused and not touched", async (_, text, code) => {
  const data = folder();
  await (await openDataFolder(data, now)).close();
  const path = join(data, "network-keys.json");
  writeFileSync(path, text);
  await expect(openDataFolder(data, now)).rejects.toEqual(refused(code));
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a folder that cannot be is unwritable, also below a file and in /proc", async () => {
  const data = folder();
  writeFileSync(join(data, "file"), "");
  mkdirSync(join(data, "taken", "login.db"), { recursive: true });
  for (const path of [join(data, "file"), join(data, "file", "below"), "/proc/kith/data", join(data, "taken")]) {
    await expect(openDataFolder(path, now)).rejects.toEqual(refused("data-folder-unwritable"));
  }
});

test("a folder is open once at a time, and free again afterwards", async () => {
  const data = folder();
  const first = await openDataFolder(data, now);
  await expect(openDataFolder(data, now)).rejects.toEqual(refused("data-in-use"));
  await first.close();
  await (await openDataFolder(data, now)).close();
});

test("a full disk refuses writes for now, keeps what was there, and reading goes on", async () => {
  const path = join(folder(), "login.db");
  await withStorage(path, async (storage) => {
    const { db } = storage;
    await sql`PRAGMA max_page_count = 60`.execute(db);
    const fill = db.transaction().execute(async (transaction) => {
      await transaction.updateTable("counters").set({ value: 7 }).execute();
      await transaction
        .updateTable("supernode_list")
        .set({ list: new Uint8Array(1_000_000) })
        .execute();
    });
    const error: unknown = await fill.catch((thrown: unknown) => thrown);
    expect(refusalFor(error)).toEqual(refused("login-server-busy"));
    expect(await counterOf(storage)).toBe(0);
    await sql`PRAGMA max_page_count = 100000`.execute(db);
    await db.updateTable("counters").set({ value: 8 }).execute();
  });
  expect(await withStorage(path, counterOf)).toBe(8);
});

test("somebody who reads the file beside the server, to back it up, gets a whole database", async () => {
  const path = join(folder(), "login.db");
  await withStorage(path, async ({ db }) => {
    await db.updateTable("counters").set({ value: 5 }).execute();
    const reader = new Libsql(path);
    expect(reader.prepare("SELECT value FROM counters WHERE name = 'certificate-serial'").all([])).toEqual([
      { value: 5 },
    ]);
    reader.close();
  });
});
