/**
 * The accounts of a large network that nobody signs in to: rows of the size and shape of real ones in every table that a
 * login touches, made by SQLite itself. Random bytes stand for keys, hashes and seals; the key log's tree is hashed over them.
 */
import { type Kysely, sql } from "kysely";
import { branchHash, storeBranch } from "../login-server/key-log/branches.ts";
import type { Schema } from "../login-server/storage/schema.ts";
import { KEY_LOG_ENTRY_BYTES } from "../protocol/key-log.ts";
import { TIMES } from "../protocol/limits.ts";
import { VAULT_BYTES } from "../protocol/login-api.ts";

export const CERTIFICATE_BYTES = 307;
/** Beyond what the server gives out in a benchmark. */
const FIRST_SERIAL = 1_000_000_000;
const ROWS_AT_ONCE = 50_000;
const BRANCHES = 16 ** 3;

const hex = (bytes: number) => sql`lower(hex(randomblob(${sql.lit(bytes)})))`;
const bytes = (count: number) => sql`randomblob(${sql.lit(count)})`;

/**
 * @param record an OPAQUE record, the same for all
 * @param made is told how many there are so far
 */
export async function insertFillers(
  db: Kysely<Schema>,
  count: number,
  record: string,
  made: (count: number) => void,
): Promise<void> {
  for (let done = 0; done < count; done += ROWS_AT_ONCE) {
    await insertAccounts(db, Math.min(ROWS_AT_ONCE, count - done), record);
    made(Math.min(count, done + ROWS_AT_ONCE));
  }
  await insertWhatFollows(db);
  await db.transaction().execute(async (transaction) => {
    for (let branch = 0; branch < BRANCHES; branch++) {
      const prefix = branch.toString(16).padStart(3, "0");
      await storeBranch(transaction, prefix, await branchHash(transaction, prefix));
    }
  });
}

/** In random order, as people come. */
async function insertAccounts(db: Kysely<Schema>, count: number, record: string): Promise<void> {
  await sql`
    INSERT INTO accounts (user_id, handle, opaque_record, vault, sign_key, box_key, key_binding, certificate, created_at)
    WITH RECURSIVE places (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < ${count})
    SELECT ${hex(20)}, 'f' || ${hex(12)}, ${record}, ${bytes(VAULT_BYTES)}, ${bytes(32)}, ${bytes(32)}, ${bytes(64)},
      ${bytes(CERTIFICATE_BYTES)}, ${Date.now()}
    FROM places`.execute(db);
}

/** For each of them one device, the claim to the handle, and a certificate in the key log. */
async function insertWhatFollows(db: Kysely<Schema>): Promise<void> {
  const now = Date.now();
  await sql`
    INSERT INTO devices (user_id, device_id, name, certificate, serial, issued_at, expires_at, last_seen_at)
    SELECT user_id, ${hex(16)}, 'filler', certificate, ${FIRST_SERIAL} + rowid, ${now}, ${now + TIMES.userCertificateMs}, ${now}
    FROM accounts WHERE handle LIKE 'f%' ORDER BY user_id`.execute(db);
  await sql`INSERT INTO handle_claims (claim, user_id) SELECT ${hex(32)}, user_id FROM accounts ORDER BY 1`.execute(db);
  await sql`
    INSERT INTO key_log_entries (tree_key, position, serial, entry, device_id, expires_at, epoch)
    SELECT ${hex(32)}, 0, serial, ${bytes(KEY_LOG_ENTRY_BYTES)}, device_id, expires_at, 1 FROM devices ORDER BY 1`.execute(
    db,
  );
  await sql`
    INSERT INTO key_log_chains (tree_key, length, link)
    SELECT tree_key, 1, ${bytes(32)} FROM key_log_entries ORDER BY tree_key`.execute(db);
}
