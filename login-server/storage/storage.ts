/** Where the login server keeps its tables: one file, or a PostgreSQL of one's own. */
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export interface Storage {
  readonly engine: "sqlite" | "postgres";
  /** How it is named to people: a path, or host and database without user and password. */
  readonly name: string;
  readonly db: Kysely<Schema>;
  /** Takes out of the files what was deleted from the tables; at once, or with the next time while somebody reads them. */
  scrub(): Promise<void>;
  /** Waits for nothing: call it when no request is under way. */
  close(): Promise<void>;
}
