/** Where the login server keeps its tables: one file, or a PostgreSQL of one's own. */
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export interface Storage {
  readonly engine: "sqlite" | "postgres";
  /** How it is named to people: a path, or host and database without user and password. */
  readonly name: string;
  readonly db: Kysely<Schema>;
  /** Waits for nothing: call it when no request is under way. */
  close(): Promise<void>;
}
