/** A profile's database on a folder of its own, for tests of what is kept there. */
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../../main/storage/database.ts";
import type { Db } from "../../main/storage/database-schema.ts";

export interface TestProfile {
  readonly folder: string;
  readonly key: Uint8Array;
  readonly db: Db;
  /** Closes the database and opens it anew, as a restart does. */
  reopened(): Promise<TestProfile>;
  remove(): Promise<void>;
}

const newFolder = () => mkdtempSync(join(tmpdir(), "kith-profile-"));

export function testProfile(folder = newFolder(), key: Uint8Array = new Uint8Array(randomBytes(32))): TestProfile {
  const db = openDatabase(folder, key);
  return {
    folder,
    key,
    db,
    reopened: async () => {
      await db.destroy();
      // A copy: libsql lets go of a file only once the closed database has been collected, and no restart waits for that.
      const next = newFolder();
      cpSync(folder, next, { recursive: true, filter: (file) => !file.endsWith("-shm") });
      rmSync(folder, { recursive: true, force: true });
      return testProfile(next, key);
    },
    remove: async () => {
      await db.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
