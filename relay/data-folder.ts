/** The data folder of a supernode: small files, written whole or not at all, readable by nobody else. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { KithError } from "../protocol/errors.ts";

export class DataFolder {
  readonly path: string;
  readonly #unlock: () => void;

  /**
   * Makes the folder if need be, and keeps it for this process alone: two supernodes of one identity would take each other's place.
   * @throws KithError `data-folder-unwritable`, `data-in-use`
   */
  constructor(path: string) {
    this.path = path;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new KithError("data-folder-unwritable", { path }, { cause: error });
    }
    this.#unlock = lock(path);
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** Null if there is no such file. @throws KithError `data-folder-unwritable` */
  read(name: string): Uint8Array | null {
    try {
      return new Uint8Array(readFileSync(this.pathOf(name)));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return null;
      throw new KithError("data-folder-unwritable", { path: this.pathOf(name) }, { cause: error });
    }
  }

  /** On the disk when this returns. @throws KithError `data-folder-unwritable` */
  write(name: string, bytes: Uint8Array): void {
    const path = this.pathOf(name);
    const unfinished = `${path}.new`;
    try {
      const file = openSync(unfinished, "w", 0o600);
      try {
        writeFileSync(file, bytes);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(unfinished, path);
    } catch (error) {
      throw new KithError("data-folder-unwritable", { path }, { cause: error });
    }
  }

  close(): void {
    this.#unlock();
  }
}

/** A lock of SQLite's on an empty file: the operating system frees it with the process, however that ends. */
function lock(folder: string): () => void {
  try {
    const database = new Database(join(folder, "lock"), { timeout: 200 });
    try {
      database.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      database.close();
      throw error;
    }
    return () => {
      database.exec("ROLLBACK");
      database.close();
    };
  } catch (error) {
    throw hasCode(error, "SQLITE_BUSY")
      ? new KithError("data-in-use", { path: folder }, { cause: error })
      : new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
