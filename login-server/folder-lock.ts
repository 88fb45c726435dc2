/** One login server per data folder: two would not see each other's sessions, and push to half of the devices. */
import { join } from "node:path";
import Libsql from "libsql";
import { KithError } from "../protocol/errors.ts";
import { engineCode } from "./storage/storage-fault.ts";

/** A server that is just ending gets this long to let go. */
const PATIENCE_MS = 1_000;

/**
 * Takes the folder's lock: one of SQLite's on a file of its own, which the operating system
 * frees with the process, however that ends.
 * @returns gives it back
 * @throws KithError `data-in-use`, `data-folder-unwritable`
 */
export function lockFolder(folder: string): () => void {
  try {
    const database = new Libsql(join(folder, "lock"));
    database.pragma(`busy_timeout = ${PATIENCE_MS}`);
    database.exec("BEGIN EXCLUSIVE");
    return () => {
      // Before it is closed: libsql closes a file only once its statements are garbage.
      database.exec("ROLLBACK");
      database.close();
    };
  } catch (error) {
    const code = engineCode(error).startsWith("SQLITE_BUSY") ? "data-in-use" : "data-folder-unwritable";
    throw new KithError(code, { path: folder }, { cause: error });
  }
}
