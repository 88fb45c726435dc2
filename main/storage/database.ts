/**
 * The profile's database: one SQLite file, encrypted under the profile key. Every
 * commit is on the disk before it is acted on.
 */

import { join } from "node:path";
import { Kysely, type SqliteDatabase, SqliteDialect } from "kysely";
import Database from "libsql";
import { KithError } from "../../protocol/errors.ts";
import type { Db, ProfileDatabase } from "./database-schema.ts";
import { MIGRATIONS } from "./migrations.ts";
import { DATABASE_FILE } from "./profile-key.ts";

/**
 * Opens the database of a profile, made or brought up to date as needed. A file that cannot
 * be used is left as it is.
 * @param key 32 bytes
 * @throws KithError `data-corrupt`, `data-newer`, `data-in-use`, `data-folder-unwritable`
 */
export function openDatabase(folder: string, key: Uint8Array): Db {
  const path = join(folder, DATABASE_FILE);
  let database: Database.Database | null = null;
  try {
    // A variable, because libsql's types do not know its own encryption options.
    const options = {
      timeout: 1_000,
      encryptionCipher: "aes256cbc",
      encryptionKey: Buffer.from(key).toString("hex"),
    };
    database = new Database(path, options);
    prepare(database, path);
  } catch (error) {
    database?.close();
    throw refusal(error, folder, path);
  }
  return new Kysely<ProfileDatabase>({ dialect: new SqliteDialect({ database: guarded(database, folder, path) }) });
}

/** A full disk or a damaged file says so in words whenever it shows, not only at the start. */
function guarded(database: Database.Database, folder: string, path: string): SqliteDatabase {
  const guard = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw refusal(error, folder, path);
    }
  };
  return {
    prepare: (sql) => {
      const statement = guard(() => database.prepare(sql));
      return {
        reader: statement.reader,
        all: (parameters) => guard(() => statement.all(parameters)),
        run: (parameters) => guard(() => statement.run(parameters)),
        iterate: (parameters) => guard(() => statement.iterate(parameters)),
      };
    },
    close: () => {
      // libsql keeps a closed connection until its statements are garbage-collected, so that SQLite itself
      // does not fold the write-ahead log into the file; a backup would then miss what is in it.
      try {
        database.pragma("wal_checkpoint(TRUNCATE)");
      } catch {
        // Something still reads: the log stays beside the file, as after a crash.
      }
      database.close();
    },
  };
}

function prepare(database: Database.Database, path: string): void {
  const version = Number(pragma(database, "user_version"));
  if (version > MIGRATIONS.length) throw new KithError("data-newer", { path });
  if (pragma(database, "quick_check") !== "ok") throw new KithError("data-corrupt", { path });
  database.pragma("journal_mode = WAL");
  // A message is acknowledged once it is stored, so it must survive a power cut too.
  database.pragma("synchronous = FULL");
  database.pragma("foreign_keys = ON");
  for (const [index, statements] of MIGRATIONS.entries()) {
    if (index < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${statements.join(";")}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
  // Fails now rather than at the first message if the file or its folder is read-only.
  database.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
}

/** The first value that a pragma answers. */
function pragma(database: Database.Database, name: "user_version" | "quick_check"): unknown {
  const [row] = database.prepare(`PRAGMA ${name}`).raw().all([]);
  return Array.isArray(row) ? row[0] : undefined;
}

function refusal(thrown: unknown, folder: string, path: string): unknown {
  if (thrown instanceof KithError || !(thrown instanceof Error)) return thrown;
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return new KithError("data-corrupt", { path }, { cause: thrown });
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new KithError("data-in-use", { path }, { cause: thrown });
  if (/^SQLITE_(READONLY|CANTOPEN|PERM|IOERR|FULL)/.test(code)) {
    return new KithError("data-folder-unwritable", { path: folder }, { cause: thrown });
  }
  return thrown;
}

/** Bytes of a row. */
export function bytesOf(blob: ArrayBuffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(blob);
}
