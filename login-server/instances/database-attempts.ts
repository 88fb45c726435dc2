/** What stands between the two requests of one step, in the database: the second one may come to another instance. */
import type { Kysely } from "kysely";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { ATTEMPT_LIFE_MS, type AttemptStore, type AttemptStores } from "../accounts/login-attempts.ts";
import type { Schema } from "../storage/schema.ts";

/** Half a kilobyte each; how many there can be is bounded by what OPAQUE costs the processor in a minute. */
const SWEEP_INTERVAL_MS = 30_000;

export function databaseAttempts(db: Kysely<Schema>, now: () => number): { stores: AttemptStores; close(): void } {
  const sweep = () => db.deleteFrom("login_attempts").where("expires_at", "<=", now()).execute();
  // What could not be swept now is swept the next time.
  const sweeping = setInterval(() => void sweep().catch(() => undefined), SWEEP_INTERVAL_MS).unref();
  return {
    stores: (kind, schema) => store(db, now, kind, schema),
    close: () => clearInterval(sweeping),
  };
}

function store<T>(db: Kysely<Schema>, now: () => number, kind: string, schema: z.ZodType<T>): AttemptStore<T> {
  return {
    async add(id, attempt) {
      const row = { attempt: id, kind, state: JSON.stringify(attempt), expires_at: now() + ATTEMPT_LIFE_MS };
      await db.insertInto("login_attempts").values(row).execute();
    },
    async take(id) {
      const row = await db
        .deleteFrom("login_attempts")
        .where("attempt", "=", id)
        .where("kind", "=", kind)
        .returning(["state", "expires_at"])
        .executeTakeFirst();
      if (!row || row.expires_at <= now()) throw new KithError("login-attempt-over");
      const attempt = schema.safeParse(JSON.parse(row.state));
      // Begun at an instance of another version.
      if (!attempt.success) throw new KithError("login-attempt-over");
      return attempt.data;
    },
  };
}
