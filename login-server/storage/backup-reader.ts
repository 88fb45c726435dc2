/** Reads a backup into an empty database. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { type Kysely, sql } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import { BACKUP_VERSION, BackupHeader, BackupLine, decodeRow, type Row } from "./backup-format.ts";
import { LEFT_OUT, tablesOf } from "./backup-writer.ts";
import { MIGRATIONS, migrate } from "./migrations.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

type Target = Pick<Storage, "engine" | "db" | "name">;

/** SQLite takes 32,766 values in a statement, PostgreSQL 65,535. */
const ROWS_AT_ONCE = 500;
/** More than any network changes between a backup and its loss. */
const JUMP = 1_000_000;
const COUNTED = [
  ["accounts", "buddy_revision"],
  ["buddy_lines", "revision"],
  ["departed_buddies", "revision"],
  ["supernode_list", "revision"],
  ["revocation_list", "revision"],
] as const;
/** Written last: without it a database is nobody's, and a restore that was cut off is simply repeated. */
const NAME_OF_THE_NETWORK = "network";

/**
 * @param target empty, or left by a restore that was cut off
 * @param keepKeys given the text of the network's keys file before the database names the network
 * @returns how many rows there were
 * @throws KithError `data-corrupt`, `data-newer`, `restore-refused`
 */
export async function readBackup(
  path: string,
  target: Target,
  keepKeys: (text: string) => Promise<void>,
  now: () => number,
): Promise<number> {
  const lines = createInterface({ input: unpacked(path), crlfDelay: Number.POSITIVE_INFINITY });
  try {
    const reading = lines[Symbol.asyncIterator]();
    const header = headerOf((await reading.next()).value, path);
    await makeTables(target, header, now);
    const { rows, network } = await fill(target.db, header.tables, { [Symbol.asyncIterator]: () => reading });
    await keepKeys(header.keys);
    await insert(target.db, NAME_OF_THE_NETWORK, network);
    return rows;
  } catch (error) {
    if (error instanceof KithError) throw error;
    throw new KithError("data-corrupt", { path }, { cause: error });
  } finally {
    lines.close();
  }
}

/** An error of either stream ends the reading of lines with it. */
function unpacked(path: string): NodeJS.ReadableStream {
  const file = createReadStream(path);
  const gunzip = createGunzip();
  file.on("error", (error) => gunzip.destroy(error));
  return file.pipe(gunzip);
}

function headerOf(line: unknown, path: string): BackupHeader {
  const header = BackupHeader.parse(JSON.parse(String(line)));
  if (header.version > BACKUP_VERSION || header.schema > MIGRATIONS.length) throw new KithError("data-newer", { path });
  return header;
}

/** The tables as they were in the backup: newer ones are the server's to make when it opens them. */
async function makeTables({ engine, db, name }: Target, header: BackupHeader, now: () => number): Promise<void> {
  const there = await tablesOf(db);
  if (there.length > 0 && !(await isUnfinished(db, there))) throw new KithError("restore-refused", { path: name });
  const ours = there.filter((table) => header.tables.includes(table) || LEFT_OUT.includes(table));
  for (const table of ours.reverse()) await db.schema.dropTable(table).execute();
  const types = { bytes: engine === "sqlite" ? "blob" : "bytea" } as const;
  await migrate(db, types, now, name, { migrations: MIGRATIONS.slice(0, header.schema) });
  // What the migrations put there themselves comes from the backup.
  for (const table of header.tables) await sql`delete from ${sql.table(table)}`.execute(db);
}

async function isUnfinished(db: Kysely<Schema>, tables: readonly string[]): Promise<boolean> {
  if (!tables.includes(NAME_OF_THE_NETWORK)) return false;
  return (await db.selectFrom("network").selectAll().execute()).length === 0;
}

/** All but the network's name. @returns that, and how many rows there were in all */
async function fill(
  db: Kysely<Schema>,
  tables: readonly string[],
  lines: AsyncIterable<string>,
): Promise<{ rows: number; network: readonly Row[] }> {
  let table = "";
  let waiting: Row[] = [];
  let network: Row[] = [];
  let count = 0;
  const flush = async () => {
    if (table === NAME_OF_THE_NETWORK) network = waiting;
    else if (waiting.length > 0) await insert(db, table, waiting);
    waiting = [];
  };
  for await (const text of lines) {
    const line = BackupLine.parse(JSON.parse(text));
    if ("row" in line) {
      count++;
      waiting.push(decodeRow(line.row));
      if (waiting.length === ROWS_AT_ONCE) await flush();
      continue;
    }
    await flush();
    if ("table" in line) {
      table = line.table;
      continue;
    }
    if (line.rows !== count || network.length !== 1) break;
    await jumpAhead(db, tables);
    return { rows: count, network };
  }
  throw new Error("the backup ends too early");
}

/**
 * What the lost server gave out after its backup must not be given out again: serials and
 * revisions go on far behind it, and every device fetches its whole list.
 */
async function jumpAhead(db: Kysely<Schema>, tables: readonly string[]): Promise<void> {
  for (const [table, column] of COUNTED) {
    if (!tables.includes(table)) continue;
    await sql`update ${sql.table(table)} set ${sql.id(column)} = ${sql.id(column)} + ${sql.lit(JUMP)}`.execute(db);
  }
  const serial = db.updateTable("counters").set((row) => ({ value: row("value", "+", JUMP) }));
  await serial.where("name", "=", "certificate-serial").execute();
  for (const list of ["supernode_list", "revocation_list"] as const) {
    if (tables.includes(list)) await db.updateTable(list).set({ outdated: 1 }).execute();
  }
}

async function insert(db: Kysely<Schema>, table: string, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const names = sql.join(columns.map((column) => sql.id(column)));
  const tuples = rows.map((row) => sql`(${sql.join(columns.map((column) => row[column]))})`);
  await sql`insert into ${sql.table(table)} (${names}) values ${sql.join(tuples)}`.execute(db);
}
