import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import Libsql from "libsql";
import { expect, inject, test } from "vitest";
import { runBackupCommand } from "../../login-server/backup-commands.ts";
import { startLoginServer } from "../../login-server/server.ts";
import { writeBackup } from "../../login-server/storage/backup-writer.ts";
import { MIGRATIONS } from "../../login-server/storage/migrations.ts";
import { readSqlite } from "../../login-server/storage/sqlite-storage.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { decodeSupernodeList } from "../../protocol/supernode-list.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import { bytesOf, enrol, handle, login, newSupernode, register } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { newDatabase } from "../support/postgres-server.ts";

const servers = loginServers();
const refused = (code: string) => expect.objectContaining({ code });
const FIXTURES = join(import.meta.dirname, "..", "fixtures");

/** Where restored data may go: the engine of the source, and the other one if there is a PostgreSQL. */
const base = inject("database");
const targets = base?.kind === "postgres" ? (["postgres", "sqlite"] as const) : (["sqlite"] as const);

async function emptyPlace(engine: "sqlite" | "postgres"): Promise<{ dataFolder: string; database?: string }> {
  const dataFolder = servers.folder();
  if (engine === "sqlite" || base?.kind !== "postgres") return { dataFolder };
  return { dataFolder, database: await newDatabase(base.url) };
}

async function supernodesAt(url: string) {
  const { list } = (await (await fetch(`${url}/v1/supernodes`)).json()) as { list: string };
  return decodeSupernodeList(bytesOf(list)).value;
}

async function startAt(place: { dataFolder: string; database?: string }) {
  const server = await startLoginServer({ registration: "open", ...place });
  servers.adopt(server);
  return server;
}

async function run(
  command: "backup" | "restore",
  file: string,
  { dataFolder, database }: { dataFolder: string; database?: string },
): Promise<string> {
  let said = "";
  const args = [file, "--data", dataFolder, ...(database === undefined ? [] : ["--database", database])];
  await runBackupCommand(command, args, {}, (text) => {
    said += text;
  });
  return said;
}

/** A server with two buddies, a request and a supernode; and the place where it is. */
async function serverInUse() {
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder });
  const place = { dataFolder, ...(await servers.database(dataFolder)) };
  const [alice, bob] = [await register(server.url, "alice"), await register(server.url, "bob")];
  const atAlice = await servers.open(server.url, alice);
  const atBob = await servers.open(server.url, bob);
  await atAlice.call("requestBuddy", { handle: handle("bob"), greeting: "It's me\u2028<b>" });
  await atBob.call("acceptBuddy", { userId: alice.userId });
  await enrol(server.url, newSupernode(5_001), server.enrolmentToken);
  return { server, place, alice, bob, atAlice };
}

test.each(targets)(
  "a backup of a running server is restored elsewhere (%s), and people sign in there",
  async (engine) => {
    const { server, place, alice, bob, atAlice } = await serverInUse();
    const file = join(servers.folder(), "kith-backup");
    expect(await run("backup", file, place)).toMatch(/^\d+ rows are in /);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // What comes later is not in it.
    await register(server.url, "carol");
    const list = await atAlice.call("syncBuddies", { since: 0 });
    const supernodes = await supernodesAt(server.url);
    await server.close();

    const elsewhere = await emptyPlace(engine);
    await run("restore", file, elsewhere);
    expect(statSync(join(elsewhere.dataFolder, "network-keys.json")).mode & 0o777).toBe(0o600);
    const restored = await startAt(elsewhere);
    expect(restored.networkId).toBe(server.networkId);
    const again = await login(restored.url, "alice", alice.password);
    expect([again.userId, again.sign.secretKey]).toEqual([alice.userId, alice.sign.secretKey]);
    // A device that was signed in still is, and its list is as it was.
    const session = await servers.open(restored.url, alice);
    const { entries, revision } = await session.call("syncBuddies", { since: list.revision });
    expect(entries.map(({ userId, state }) => [userId, state])).toEqual([[bob.userId, "buddy"]]);
    expect(revision).toBeGreaterThan(list.revision);
    const listed = await supernodesAt(restored.url);
    expect(listed.supernodes.map(({ bytes }) => bytes)).toEqual(supernodes.supernodes.map(({ bytes }) => bytes));
    // What was given out since the backup is not given out again.
    expect(listed.revision).toBeGreaterThan(supernodes.revision);
    const anchor = trustAnchor(restored.networkKey, Date.now);
    const serials = [alice, again].map(({ certificate }) => trustUserCertificate(anchor, certificate).value.serial);
    expect((serials[1] ?? 0) - (serials[0] ?? 0)).toBeGreaterThan(1_000);
    await expect(login(restored.url, "carol", "secret of carol")).rejects.toThrow("wrong-password");
  },
);

test("a backup of a server that is being written to holds one moment", async () => {
  const { server, place } = await serverInUse();
  const file = join(servers.folder(), "kith-backup");
  let last = 0;
  let isOver = false;
  const writing = (async () => {
    while (!isOver) await register(server.url, `member${++last}`);
  })();
  await run("backup", file, place);
  isOver = true;
  await writing;
  const lines = gunzipSync(readFileSync(file))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const rowsOf = (table: string) => {
    const from = lines.findIndex((line) => line.table === table);
    const to = lines.findIndex((line, index) => index > from && !line.row);
    return lines.slice(from + 1, to).map(({ row }) => row);
  };
  // Each registration makes one of each, in one transaction.
  expect(
    rowsOf("devices")
      .map((row) => row.user_id)
      .sort(),
  ).toEqual(
    rowsOf("accounts")
      .map((row) => row.user_id)
      .sort(),
  );
  const elsewhere = await emptyPlace(targets[0]);
  await run("restore", file, elsewhere);
});

test("what somebody has laid where a backup is being written neither reads it nor is written to", async () => {
  const { place } = await serverInUse();
  const [file, other] = [join(servers.folder(), "kith-backup"), join(servers.folder(), "somebody-elses")];
  for (const lay of [
    () => writeFileSync(`${file}.unfinished`, "", { mode: 0o666 }),
    () => {
      writeFileSync(other, "as it was");
      symlinkSync(other, `${file}.unfinished`);
    },
  ]) {
    lay();
    const name = `${file}.${statSync(`${file}.unfinished`).size}`;
    renameSync(`${file}.unfinished`, `${name}.unfinished`);
    await run("backup", name, place);
    expect(statSync(name).mode & 0o777).toBe(0o600);
  }
  expect(readFileSync(other, "utf8")).toBe("as it was");
});

test("keys are read after the database, so that none is missing that the database names", async () => {
  const data = servers.folder();
  await (await startLoginServer({ dataFolder: data })).close();
  const keysPath = join(servers.folder(), "keys");
  execFileSync("mkfifo", [keysPath]);
  const [reading, writing] = [readSqlite(join(data, "login.db")), readSqlite(join(data, "login.db"))];
  const file = join(servers.folder(), "kith-backup");
  const backup = writeBackup(reading, keysPath, file, Date.now);
  // The pipe opens for the one when the other opens it: the backup waits for its keys, and what comes now is later than it.
  const pipe = await open(keysPath, "w");
  await writing.db.updateTable("counters").set({ value: 987_654 }).execute();
  await writeFile(pipe, "the keys");
  await pipe.close();
  await backup;
  const text = gunzipSync(readFileSync(file)).toString();
  expect(text).toContain("the keys");
  expect(text).not.toContain("987654");
  for (const storage of [reading, writing]) await storage.close();
});

test.each(targets)("a restore (%s) that was cut off before its last step is finished by the start", async (engine) => {
  const { server, place, alice } = await serverInUse();
  const file = join(servers.folder(), "kith-backup");
  await run("backup", file, place);
  await server.close();
  const elsewhere = await emptyPlace(engine);
  await run("restore", file, elsewhere);
  const keys = join(elsewhere.dataFolder, "network-keys.json");
  renameSync(keys, `${keys}.new`);
  const restored = await startAt(elsewhere);
  expect((await login(restored.url, "alice", alice.password)).userId).toBe(alice.userId);
  expect(existsSync(keys)).toBe(true);
});

test("nothing is overwritten: neither a backup nor data", async () => {
  const { server, place } = await serverInUse();
  const file = join(servers.folder(), "kith-backup");
  await run("backup", file, place);
  const before = readFileSync(file);
  await expect(run("backup", file, place)).rejects.toEqual(refused("option-invalid"));
  await server.close();
  await expect(run("restore", file, place)).rejects.toEqual(refused("restore-refused"));
  // The keys are gone, the tables are not.
  const other = servers.folder();
  if (place.database === undefined) copyFileSync(join(place.dataFolder, "login.db"), join(other, "login.db"));
  await expect(run("restore", file, { ...place, dataFolder: other })).rejects.toEqual(refused("restore-refused"));
  expect(existsSync(join(other, "network-keys.json"))).toBe(false);
  expect(readFileSync(file).equals(before)).toBe(true);
  const again = await servers.start({ dataFolder: place.dataFolder });
  expect(again.networkId).toBe(server.networkId);
});

test("a backup that is cut short, changed or newer restores nothing, and a whole one can follow", async () => {
  const { server, place, alice } = await serverInUse();
  const file = join(servers.folder(), "kith-backup");
  await run("backup", file, place);
  await server.close();
  const whole = readFileSync(file);
  const text = gunzipSync(whole).toString();
  const lines = text.split("\n");
  const spoiled: [Buffer, string][] = [
    [whole.subarray(0, whole.length - 20), "data-corrupt"],
    [gzipSync(lines.slice(0, -2).join("\n")), "data-corrupt"],
    [gzipSync(lines.filter((line) => !line.includes('"handle":"bob"')).join("\n")), "data-corrupt"],
    [gzipSync(text.replace('"version":1', '"version":2')), "data-newer"],
    [gzipSync(text.replace(/"schema":\d+/, `"schema":${MIGRATIONS.length + 1}`)), "data-newer"],
    [Buffer.from("not a backup"), "data-corrupt"],
    [Buffer.alloc(0), "data-corrupt"],
  ];
  const elsewhere = await emptyPlace(targets[0]);
  for (const [content, code] of spoiled) {
    const bad = join(servers.folder(), "bad");
    writeFileSync(bad, content);
    await expect(run("restore", bad, elsewhere)).rejects.toEqual(refused(code));
    expect(readdirSync(elsewhere.dataFolder)).not.toContain("network-keys.json");
  }
  await run("restore", file, elsewhere);
  const restored = await startAt(elsewhere);
  expect((await login(restored.url, "alice", alice.password)).userId).toBe(alice.userId);
});

test("data of version 0.1.0 is kept in a backup, brought up to date and served, and so is that backup", async () => {
  const dataFolder = servers.folder();
  copyFileSync(join(FIXTURES, "login-server-0.1.0-keys.json"), join(dataFolder, "network-keys.json"));
  const old = new Libsql(join(dataFolder, "login.db"));
  old.exec(readFileSync(join(FIXTURES, "login-server-0.1.0.sql"), "utf8"));
  old.close();

  const usable = async (place: { dataFolder: string; database?: string }, newcomer = "dave") => {
    const server = await startAt(place);
    const alice = await login(server.url, "alice", "a password of 0.1.0");
    const { entries } = await (await servers.open(server.url, alice)).call("syncBuddies", { since: 0 });
    expect(entries.map(({ handle: name, state, greeting }) => [name, state, greeting])).toEqual([
      ["bob", "buddy", ""],
      ["carol", "asks-me", "Zoë; DROP TABLE accounts"],
    ]);
    await register(server.url, newcomer);
    await server.close();
  };
  mkdirSync(join(dataFolder, "backups"));
  writeFileSync(join(dataFolder, "backups", "of-an-upgrade-that-was-killed.unfinished"), "half of it");
  await usable({ dataFolder });
  const [kept, ...more] = readdirSync(join(dataFolder, "backups"));
  expect([kept, more]).toEqual([expect.stringMatching(/^before-upgrade-from-1-/), []]);
  // Once is enough: there is nothing to upgrade the next time.
  await usable({ dataFolder }, "erin");
  expect(readdirSync(join(dataFolder, "backups"))).toHaveLength(1);
  for (const engine of targets) {
    const elsewhere = await emptyPlace(engine);
    await run("restore", join(dataFolder, "backups", kept ?? ""), elsewhere);
    await usable(elsewhere);
  }
});
