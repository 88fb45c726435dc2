/** The data folder: the keys beside the database, and the rule that neither is made anew while the other one is there. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Kysely } from "kysely";
import { KithError } from "../protocol/errors.ts";
import { lockFolder } from "./folder-lock.ts";
import { createNetworkKeys, type NetworkKeys, parseNetworkKeys } from "./network-keys.ts";
import type { Schema } from "./storage/schema.ts";
import { openSqliteStorage, type Storage } from "./storage/sqlite-storage.ts";

export const KEYS_FILE = "network-keys.json";
const DATABASE_FILE = "login.db";

export interface OpenData {
  readonly keys: NetworkKeys;
  readonly storage: Storage;
  /** Closes the database and lets another process have the folder. */
  close(): Promise<void>;
}

/**
 * Opens the folder, or makes a new network in an empty one. Whatever is damaged, newer or
 * incomplete is left exactly as it is.
 * @throws KithError `data-folder-unwritable`, `data-corrupt`, `data-newer`, `data-missing`, `data-in-use`
 */
export async function openDataFolder(folder: string, now: () => number): Promise<OpenData> {
  const keysPath = join(folder, KEYS_FILE);
  const databasePath = join(folder, DATABASE_FILE);
  try {
    makeFolder(resolve(folder));
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
  const unlock = lockFolder(folder);
  try {
    const { keys, storage } = await openLocked(keysPath, databasePath, now);
    const close = async () => {
      await storage.close();
      unlock();
    };
    return { keys, storage, close };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openLocked(
  keysPath: string,
  databasePath: string,
  now: () => number,
): Promise<{ keys: NetworkKeys; storage: Storage }> {
  const kept = await readKeys(keysPath);
  if (kept && !holdsAnything(databasePath)) {
    throw new KithError("data-missing", { path: databasePath, beside: keysPath });
  }
  const storage = await openSqliteStorage(databasePath, now);
  try {
    const keys = kept ?? (await beginNetwork(storage.db, keysPath, databasePath));
    await requireSameNetwork(storage.db, keys, keysPath);
    return { keys, storage };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** One level at a time: Node's recursive mkdir never returns where the file system refuses with ENOENT, as /proc does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function holdsAnything(path: string): boolean {
  return existsSync(path) && statSync(path).size > 0;
}

async function readKeys(path: string): Promise<NetworkKeys | null> {
  if (!existsSync(path)) return null;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path }, { cause: error });
  }
  return parseNetworkKeys(text, path);
}

async function requireSameNetwork(db: Kysely<Schema>, keys: NetworkKeys, keysPath: string): Promise<void> {
  const network = await db.selectFrom("network").select("network_id").executeTakeFirst();
  if (network?.network_id !== keys.networkId) throw new KithError("data-corrupt", { path: keysPath });
}

/**
 * The database learns of the network first and the keys are written last, so that a start
 * that is cut off in between is simply repeated: a database in which nobody is vouched for
 * has no need of its old key.
 */
async function beginNetwork(db: Kysely<Schema>, keysPath: string, databasePath: string): Promise<NetworkKeys> {
  const account = await db.selectFrom("accounts").select("user_id").limit(1).executeTakeFirst();
  const supernode = await db.selectFrom("supernodes").select("supernode_id").limit(1).executeTakeFirst();
  if (account || supernode) throw new KithError("data-missing", { path: keysPath, beside: databasePath });
  const { keys, text } = await createNetworkKeys();
  await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom("network").execute();
    await transaction.insertInto("network").values({ network_id: keys.networkId }).execute();
  });
  writeWhole(keysPath, text);
  return keys;
}

/** All of the text or none of it, on the disk before this returns, readable by nobody else. */
function writeWhole(path: string, text: string): void {
  const unfinished = `${path}.new`;
  try {
    const file = openSync(unfinished, "w", 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
    syncFolder(dirname(path));
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path }, { cause: error });
  }
}

/** The new name itself must outlast a power cut. Windows opens no folders, and writes names through by itself. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
