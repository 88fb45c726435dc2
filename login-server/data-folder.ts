/** The data folder: the keys beside the database, and the rule that neither is made anew while the other one is there. */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Kysely } from "kysely";
import { KithError } from "../protocol/errors.ts";
import { lockFolder } from "./folder-lock.ts";
import { finishKeys, readKeys, unfinished, writeKeys, writeUnfinished } from "./keys/keys-file.ts";
import { createNetworkKeys, type NetworkKeys, withSuccessor } from "./keys/network-keys.ts";
import { backupBeforeUpgrade } from "./storage/backup-writer.ts";
import { openPostgresStorage } from "./storage/postgres-storage.ts";
import type { Schema } from "./storage/schema.ts";
import { openSqliteStorage } from "./storage/sqlite-storage.ts";
import type { Storage } from "./storage/storage.ts";

export const KEYS_FILE = "network-keys.json";
export const DATABASE_FILE = "login.db";

export interface OpenData {
  readonly keys: NetworkKeys;
  readonly storage: Storage;
  /** Writes another key of the network's beside the first one, on the disk before this returns. @throws KithError `data-folder-unwritable` */
  keepSuccessor(seed: Uint8Array): void;
  /** Closes the database and lets another process have the folder. */
  close(): Promise<void>;
}

/**
 * Opens the folder, or makes a new network in an empty one. Whatever is damaged, newer or
 * incomplete is left exactly as it is.
 * @param databaseUrl of a PostgreSQL; without it the database is a file in the folder
 * @throws KithError `data-folder-unwritable`, `data-corrupt`, `data-newer`, `data-missing`, `data-in-use`,
 *   `database-unreachable`
 */
export async function openDataFolder(folder: string, now: () => number, databaseUrl?: string): Promise<OpenData> {
  const keysPath = join(folder, KEYS_FILE);
  try {
    makeFolder(resolve(folder));
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
  const unlock = lockFolder(folder);
  try {
    const { keys, storage } =
      databaseUrl === undefined
        ? await openFile(keysPath, join(folder, DATABASE_FILE), now)
        : await openPostgres(keysPath, databaseUrl, now);
    const close = async () => {
      await storage.close();
      unlock();
    };
    const keepSuccessor = (seed: Uint8Array) =>
      writeKeys(keysPath, withSuccessor(readFileSync(keysPath, "utf8"), seed));
    return { keys, storage, keepSuccessor, close };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openFile(
  keysPath: string,
  databasePath: string,
  now: () => number,
): Promise<{ keys: NetworkKeys; storage: Storage }> {
  const kept = await readKeys(keysPath);
  if (kept && !holdsAnything(databasePath)) {
    throw new KithError("data-missing", { path: databasePath, beside: keysPath });
  }
  const storage = await openSqliteStorage(databasePath, now, backupBeforeUpgrade(keysPath, now));
  try {
    const keys =
      kept ?? (await keysCutOff(storage.db, keysPath)) ?? (await beginNetwork(storage.db, keysPath, databasePath));
    await requireSameNetwork(storage.db, keys, keysPath);
    if (!kept) finishKeys(keysPath);
    return { keys, storage };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/**
 * Here others may begin a network in the same database at the same time, so the first one
 * that names it there wins. The keys are on the disk before that, under another name; a start
 * that is cut off is finished by the next one.
 */
async function openPostgres(
  keysPath: string,
  url: string,
  now: () => number,
): Promise<{ keys: NetworkKeys; storage: Storage }> {
  const kept = await readKeys(keysPath);
  const storage = await openPostgresStorage(url, now, backupBeforeUpgrade(keysPath, now));
  const { db, name } = storage;
  try {
    const known = await db.selectFrom("network").select("network_id").executeTakeFirst();
    if (kept && !known) throw new KithError("data-missing", { path: name, beside: keysPath });
    const keys = kept ?? (known ? await unfinishedKeys(keysPath, name) : await beginShared(db, keysPath, name));
    await requireSameNetwork(db, keys, keysPath);
    if (!kept) finishKeys(keysPath);
    return { keys, storage };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function unfinishedKeys(keysPath: string, database: string): Promise<NetworkKeys> {
  const keys = await readKeys(unfinished(keysPath));
  if (!keys) throw new KithError("data-missing", { path: keysPath, beside: database });
  return keys;
}

async function beginShared(db: Kysely<Schema>, keysPath: string, database: string): Promise<NetworkKeys> {
  const { keys, text } = await createNetworkKeys();
  writeUnfinished(keysPath, text);
  const begun = await db.transaction().execute(async (transaction) => {
    // The counter's row lock makes those who begin at once follow each other.
    await transaction.updateTable("counters").set({ value: 0 }).where("name", "=", "certificate-serial").execute();
    const known = await transaction.selectFrom("network").select("network_id").executeTakeFirst();
    if (known) return false;
    await transaction.insertInto("network").values({ network_id: keys.networkId }).execute();
    return true;
  });
  if (!begun) throw new KithError("data-missing", { path: keysPath, beside: database });
  return keys;
}

/** One level at a time: Node's recursive mkdir never returns where the file system refuses with ENOENT, as /proc does. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function holdsAnything(path: string): boolean {
  return existsSync(path) && statSync(path).size > 0;
}

async function requireSameNetwork(db: Kysely<Schema>, keys: NetworkKeys, keysPath: string): Promise<void> {
  const network = await db.selectFrom("network").select("network_id").executeTakeFirst();
  if (network?.network_id !== keys.networkId) throw new KithError("data-corrupt", { path: keysPath });
}

/** Keys that the database waits for, since a start or a restore was cut off before they had their name. */
async function keysCutOff(db: Kysely<Schema>, keysPath: string): Promise<NetworkKeys | null> {
  const keys = await readKeys(unfinished(keysPath)).catch(() => null);
  const network = await db.selectFrom("network").select("network_id").executeTakeFirst();
  return keys && keys.networkId === network?.network_id ? keys : null;
}

/** A database in which nobody is vouched for has no need of the keys that it may have had. */
async function beginNetwork(db: Kysely<Schema>, keysPath: string, databasePath: string): Promise<NetworkKeys> {
  const account = await db.selectFrom("accounts").select("user_id").limit(1).executeTakeFirst();
  const supernode = await db.selectFrom("supernodes").select("supernode_id").limit(1).executeTakeFirst();
  if (account || supernode) throw new KithError("data-missing", { path: keysPath, beside: databasePath });
  const { keys, text } = await createNetworkKeys();
  writeUnfinished(keysPath, text);
  await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom("network").execute();
    await transaction.insertInto("network").values({ network_id: keys.networkId }).execute();
  });
  return keys;
}
