/** Writes a backup of a database that may be in use: what it held at one moment. */
import {
  closeSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Kysely, sql } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import { BACKUP_VERSION, type BackupHeader, encodeRow, type Row } from "./backup-format.ts";
import type { BeforeUpgrade } from "./migrations.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

type Source = Pick<Storage, "engine" | "db">;

const ROWS_AT_ONCE = 500;
/** Behind the name of a backup that is being written. */
const UNFINISHED = ".unfinished";
/** Made anew by whoever restores, or of no use a minute later. */
export const LEFT_OUT = ["migrations", "login_attempts"];

/**
 * @param keysPath of the network's keys file
 * @param path of the backup, which must not be there yet; nobody else can read it
 * @returns how many rows it has
 * @throws KithError `option-invalid` if there is something at the path or no folder for it, `data-folder-unwritable`
 */
export async function writeBackup(source: Source, keysPath: string, path: string, now: () => number): Promise<number> {
  if (existsSync(path)) throw new KithError("option-invalid", { option: path, why: "there is a file of that name" });
  if (!existsSync(dirname(path)))
    throw new KithError("option-invalid", { option: dirname(path), why: "no such folder" });
  const unfinished = `${path}${UNFINISHED}`;
  const count = { rows: 0 };
  try {
    // What lies there may be somebody else's, for anybody to read: in a shared folder the name is easily guessed.
    rmSync(unfinished, { force: true });
    // A read of one moment; in SQLite every transaction is.
    await source.db
      .transaction()
      .setIsolationLevel("repeatable read")
      .setAccessMode("read only")
      .execute(async (db) => {
        const lines = Readable.from(linesOf({ engine: source.engine, db }, keysPath, now, count));
        await pipeline(lines, createGzip(), createWriteStream(unfinished, { flags: "wx", mode: 0o600, flush: true }));
      });
    // A rename alone overwrites what came there meanwhile, and disks of other systems know no hard links.
    closeSync(openSync(path, "wx", 0o600));
    renameSync(unfinished, path);
  } catch (error) {
    const isOurs = error instanceof KithError || (error instanceof Error && !("syscall" in error));
    throw isOurs ? error : new KithError("data-folder-unwritable", { path: dirname(path) }, { cause: error });
  } finally {
    rmSync(unfinished, { force: true });
  }
  return count.rows;
}

/** Keeps the database in `backups/` beside the keys before a new version changes it. */
export function backupBeforeUpgrade(keysPath: string, now: () => number): BeforeUpgrade {
  return async (db, schema) => {
    // Without keys nobody has relied on it yet.
    if (!existsSync(keysPath)) return;
    const folder = join(dirname(keysPath), "backups");
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
    }
    // Of an upgrade that was killed while it wrote.
    for (const name of readdirSync(folder)) if (name.endsWith(UNFINISHED)) rmSync(join(folder, name));
    const engine = (await isSqlite(db)) ? "sqlite" : "postgres";
    const time = new Date(now()).toISOString().replace(/[:.]/g, "-");
    await writeBackup({ engine, db }, keysPath, join(folder, `before-upgrade-from-${schema}-${time}.kith-backup`), now);
  };
}

async function isSqlite(db: Kysely<Schema>): Promise<boolean> {
  const tables = await db.introspection.getTables();
  return tables.every(({ schema }) => schema === undefined);
}

async function* linesOf(
  { engine, db }: Source,
  keysPath: string,
  now: () => number,
  count: { rows: number },
): AsyncGenerator<string> {
  const tables = (await tablesOf(db)).filter((name) => !LEFT_OUT.includes(name));
  const { schema } = await db
    .selectFrom("migrations")
    .select((query) => query.fn.countAll<number>().as("schema"))
    .executeTakeFirstOrThrow();
  const header: BackupHeader = {
    kith: "login-server backup",
    version: BACKUP_VERSION,
    schema: Number(schema),
    createdAt: now(),
    // After the first look into the database: a key is in the file before the database names it.
    keys: await readFile(keysPath, "utf8"),
    tables,
  };
  yield `${JSON.stringify(header)}\n`;
  for (const table of tables) {
    yield `${JSON.stringify({ table })}\n`;
    for await (const rows of engine === "sqlite" ? rowsOfSqlite(db, table) : rowsOfPostgres(db, table)) {
      count.rows += rows.length;
      yield rows.map((row) => `${encodeRow(row)}\n`).join("");
    }
  }
  yield `${JSON.stringify({ end: true, rows: count.rows })}\n`;
}

/** Accounts first: other tables refer to them, and they to none. */
export async function tablesOf(db: Kysely<Schema>): Promise<string[]> {
  const own = await currentSchema(db);
  const tables = (await db.introspection.getTables()).filter(({ schema }) => schema === own);
  const names = tables.map(({ name }) => name);
  return names.sort((a, b) => Number(b === "accounts") - Number(a === "accounts") || (a < b ? -1 : 1));
}

/** Undefined in SQLite, which has none. */
async function currentSchema(db: Kysely<Schema>): Promise<string | undefined> {
  if (await isSqlite(db)) return undefined;
  const { rows } = await sql<{ name: string }>`select current_schema as name`.execute(db);
  return rows[0]?.name;
}

async function* rowsOfSqlite(db: Kysely<Schema>, table: string): AsyncGenerator<Row[]> {
  let after = 0;
  for (;;) {
    const { rows } = await sql<Row & { backup_rowid: number }>`
      select rowid as backup_rowid, * from ${sql.id(table)} where rowid > ${after} order by rowid limit ${sql.lit(ROWS_AT_ONCE)}
    `.execute(db);
    const last = rows.at(-1);
    if (!last) return;
    after = last.backup_rowid;
    yield rows.map(({ backup_rowid, ...row }) => row);
  }
}

async function* rowsOfPostgres(db: Kysely<Schema>, table: string): AsyncGenerator<Row[]> {
  await sql`declare backup no scroll cursor for select * from ${sql.id(table)}`.execute(db);
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.lit(ROWS_AT_ONCE)} from backup`.execute(db);
    if (rows.length === 0) break;
    yield rows;
  }
  await sql`close backup`.execute(db);
}
