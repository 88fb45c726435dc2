/** The login server's tables in one SQLite file. */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from "kysely";
import Libsql from "libsql";
import { KithError } from "../../protocol/errors.ts";
import { type BeforeUpgrade, migrate } from "./migrations.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";
import { engineCode } from "./storage-fault.ts";

/** Somebody may read the file beside us, to back it up for instance. */
const BUSY_TIMEOUT_MS = 5_000;
/** Statements that are kept prepared. */
const MAX_PREPARED = 200;

/**
 * Opens the file, makes it if it is missing, checks it and brings its schema up to date.
 * A damaged or newer file is left as it is.
 * @throws KithError `data-corrupt`, `data-newer`, `data-folder-unwritable`
 */
export async function openSqliteStorage(
  path: string,
  now: () => number,
  beforeUpgrade?: BeforeUpgrade,
): Promise<Storage> {
  const opened: { database?: Libsql.Database } = {};
  try {
    if (!existsSync(path)) writeFileSync(path, "", { mode: 0o600, flag: "wx" });
    chmodSync(path, 0o600);
    const database = new Libsql(path);
    opened.database = database;
    configure(database, path);
    const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: forKysely(database) }) });
    await migrate(db, { bytes: "blob" }, now, path, beforeUpgrade && { beforeUpgrade });
    return {
      engine: "sqlite",
      name: path,
      db,
      scrub: () => scrub(db),
      close: async () => {
        // libsql leaves this to the garbage collector, which a process that ends does not wait for.
        database.pragma("wal_checkpoint(TRUNCATE)");
        await db.destroy();
      },
    };
  } catch (error) {
    if (opened.database?.open) opened.database.close();
    throw openingFault(path, error);
  }
}

/**
 * A connection beside a server that may be running, to read what is there.
 * @throws KithError `data-missing`, `data-corrupt`, `data-folder-unwritable`
 */
export function readSqlite(path: string): Storage {
  if (!existsSync(path)) throw new KithError("data-missing", { path, beside: dirname(path) });
  try {
    const database = new Libsql(path);
    database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: forKysely(database) }) });
    return { engine: "sqlite", name: path, db, scrub: () => scrub(db), close: () => db.destroy() };
  } catch (error) {
    throw openingFault(path, error);
  }
}

/** A new file for what another database held: nothing is in it. */
export function emptySqlite(path: string): Storage {
  writeFileSync(path, "", { mode: 0o600, flag: "wx" });
  return readSqlite(path);
}

function configure(database: Libsql.Database, path: string): void {
  database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  database.pragma("journal_mode = WAL");
  // A certificate that went out must not be forgotten in a power cut.
  database.pragma("synchronous = FULL");
  database.pragma("foreign_keys = ON");
  // What was deleted is overwritten, and not only forgotten.
  database.pragma("secure_delete = ON");
  database.exec("BEGIN IMMEDIATE; COMMIT");
  const [finding] = database.prepare("PRAGMA quick_check(1)").all() as { quick_check: string }[];
  if (finding?.quick_check !== "ok") throw new KithError("data-corrupt", { path });
}

/** The log beside the database still has the pages of before. */
async function scrub(db: Kysely<Schema>): Promise<void> {
  // Between the transactions of others: inside of one it is refused.
  await db.connection().execute(async (connection) => {
    // Whoever reads the file beside us must not hold up everybody else.
    await sql`pragma busy_timeout = 0`.execute(connection);
    await sql`pragma wal_checkpoint(TRUNCATE)`.execute(connection);
    await sql`pragma busy_timeout = ${sql.lit(BUSY_TIMEOUT_MS)}`.execute(connection);
  });
}

/** libsql as Kysely expects better-sqlite3: byte strings as Uint8Array, and a rollback that SQLite did already is no error. */
function forKysely(database: Libsql.Database): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  const prepare = (text: string): SqliteStatement => {
    const known = prepared.get(text);
    if (known) return known;
    const statement = wrap(database.prepare(text));
    // Our queries are a fixed set; only bulk inserts could make it grow.
    if (prepared.size < MAX_PREPARED) prepared.set(text, statement);
    return statement;
  };
  return {
    close: () => void database.close(),
    prepare: (text) => (text === "rollback" && !database.inTransaction ? NOTHING_TO_DO : prepare(text)),
  };
}

function wrap(statement: Libsql.Statement<unknown[]>): SqliteStatement {
  return {
    reader: statement.reader,
    all: (parameters) => statement.all([...parameters]).map(withBytes),
    run: (parameters) => statement.run([...parameters]),
    iterate: (parameters) =>
      statement
        .all([...parameters])
        .map(withBytes)
        [Symbol.iterator](),
  };
}

const NOTHING_TO_DO: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

/** In place: nobody else has the row, and a list of five hundred is copied nowhere. */
function withBytes(row: unknown): unknown {
  if (!isRow(row)) return row;
  for (const name of Object.keys(row)) {
    const value = row[name];
    if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value);
  }
  return row;
}

function isRow(row: unknown): row is Record<string, unknown> {
  return typeof row === "object" && row !== null;
}

function openingFault(path: string, error: unknown): KithError {
  if (error instanceof KithError) return error;
  const code = engineCode(error);
  const cause = { cause: error };
  if (code.startsWith("SQLITE_NOTADB") || code.startsWith("SQLITE_CORRUPT")) {
    return new KithError("data-corrupt", { path }, cause);
  }
  return new KithError("data-folder-unwritable", { path }, cause);
}
