/** `login-server backup` and `login-server restore`: beside a server that is running, and on an empty machine. */
import { existsSync, lchownSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { KithError } from "../protocol/errors.ts";
import { DATABASE_FILE, KEYS_FILE, makeFolder } from "./data-folder.ts";
import { lockFolder } from "./folder-lock.ts";
import { finishKeys, readKeys, writeUnfinished } from "./keys/keys-file.ts";
import { parseNetworkKeys } from "./keys/network-keys.ts";
import { readBackup } from "./storage/backup-reader.ts";
import { writeBackup } from "./storage/backup-writer.ts";
import { connectPostgres } from "./storage/postgres-storage.ts";
import { emptySqlite, readSqlite } from "./storage/sqlite-storage.ts";

export const BACKUP_HELP = `Keeps a login server's network in one file, or makes one from it.

Usage: npm run login-server -- backup FILE [--data DIR] [--database URL]
       npm run login-server -- restore FILE [--data DIR] [--database URL]

  backup writes accounts, buddy lists, supernodes and the network's keys to FILE, as they are at one moment, also
  while the server runs. Whoever has FILE is the network: keep it as you keep the keys.

  restore reads FILE into an empty data folder, and with --database into an empty PostgreSQL database. A backup of
  SQLite can be restored into PostgreSQL and the other way round.

  --data DIR      data folder (KITH_LOGIN_DATA, default ./login-data)
  --database URL  postgres://user:password@host:port/name; without it SQLite in the data folder (KITH_LOGIN_DATABASE)
`;

interface Place {
  readonly file: string;
  readonly folder: string;
  readonly database: string | undefined;
}

/** @throws KithError `option-invalid`, and what writing or reading is refused with */
export async function runBackupCommand(
  command: "backup" | "restore",
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  say: (text: string) => void,
): Promise<void> {
  const place = placeOf(args, environment);
  if (place === null) return say(BACKUP_HELP);
  const rows = command === "backup" ? await backup(place, Date.now) : await restore(place, Date.now);
  say(command === "backup" ? `${rows} rows are in ${place.file}\n` : `${rows} rows are in ${place.folder}: start it\n`);
}

/** @returns how many rows it has */
export async function backup({ file, folder, database }: Place, now: () => number): Promise<number> {
  const keysPath = join(folder, KEYS_FILE);
  if (!(await readKeys(keysPath))) throw new KithError("data-missing", { path: keysPath, beside: folder });
  const storage = database === undefined ? readSqlite(join(folder, DATABASE_FILE)) : connectPostgres(database);
  try {
    return await writeBackup(storage, keysPath, resolve(file), now);
  } finally {
    await storage.close();
  }
}

/**
 * The keys are on the disk before the database names their network, and get their own name last: what is cut off
 * before that is repeated, and what is cut off after it is finished by the server's start.
 * @returns how many rows it had
 */
export async function restore({ file, folder, database }: Place, now: () => number): Promise<number> {
  const keysPath = join(folder, KEYS_FILE);
  const databasePath = join(folder, DATABASE_FILE);
  makeFolder(resolve(folder));
  const unlock = lockFolder(folder);
  try {
    for (const path of [keysPath, databasePath]) {
      if (existsSync(path)) throw new KithError("restore-refused", { path });
    }
    const unfinished = `${databasePath}.unfinished`;
    for (const suffix of ["", "-wal", "-shm"]) rmSync(unfinished + suffix, { force: true });
    const storage = database === undefined ? emptySqlite(unfinished) : connectPostgres(database);
    const keepKeys = async (keys: string) => {
      await parseNetworkKeys(keys, file);
      writeUnfinished(keysPath, keys);
    };
    let rows: number;
    try {
      rows = await readBackup(file, storage, keepKeys, now);
    } finally {
      await storage.close();
    }
    if (database === undefined) renameSync(unfinished, databasePath);
    finishKeys(keysPath);
    giveToOwner(folder);
    return rows;
  } finally {
    unlock();
  }
}

/** What root restores into a folder of the login server's user is for that user to open. */
function giveToOwner(folder: string): void {
  const { uid, gid } = statSync(folder);
  if (process.getuid?.() !== 0 || uid === 0) return;
  for (const name of readdirSync(folder)) lchownSync(join(folder, name), uid, gid);
}

function placeOf(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Place | null {
  const { values, positionals } = parse(args);
  const [file, ...more] = positionals;
  if (values.help === true) return null;
  if (file === undefined || more.length > 0)
    throw new KithError("option-invalid", { option: "FILE", why: "name one file" });
  return {
    file,
    folder: values.data ?? environment.KITH_LOGIN_DATA ?? "login-data",
    database: values.database ?? environment.KITH_LOGIN_DATABASE,
  };
}

function parse(args: readonly string[]) {
  const options = {
    data: { type: "string" },
    database: { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : "";
    throw new KithError("option-invalid", { option: "Command line", why });
  }
}
