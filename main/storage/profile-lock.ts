/** One running client per profile: two would fork its identity and answer each message twice. */
import { join } from "node:path";
import Database from "libsql";
import { KithError } from "../../protocol/errors.ts";

/**
 * Takes the profile's lock. It is a lock of SQLite's on an empty file, which the operating
 * system frees with the process, however that ends.
 * @returns gives it back
 * @throws KithError `data-in-use`, `data-folder-unwritable`
 */
export function lockProfile(folder: string): () => void {
  const path = join(folder, "lock");
  try {
    const database = new Database(path, { timeout: 500 });
    database.exec("BEGIN EXCLUSIVE");
    return () => {
      if (!database.open) return;
      database.exec("ROLLBACK");
      database.close();
    };
  } catch (error) {
    const busy = error instanceof Error && "code" in error && error.code === "SQLITE_BUSY";
    throw busy
      ? new KithError("data-in-use", { path: folder }, { cause: error })
      : new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
}
