/** The login server's tables in PostgreSQL, for several instances or a database that is there already. */
import { Kysely, sql } from "kysely";
import pg from "pg";
import { KithError } from "../../protocol/errors.ts";
import { type BeforeUpgrade, migrate } from "./migrations.ts";
import { postgresDialect } from "./postgres-driver.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/** Logins are work for the processor, not for the database: more would only wait there instead of here. */
const MAX_CONNECTIONS = 10;
/** How long a request waits for a connection before it is told to come again. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A database that does not answer (frozen, cut off) must not hold requests for ever, nor for longer than clients wait. */
const QUERY_TIMEOUT_MS = 6_000;
/** Migrations of large tables take longer. */
const MIGRATION_TIMEOUT_MS = 3_600_000;
/** Any number, the same in all versions: instances that start together migrate one after the other. */
const MIGRATION_LOCK = 0x4b697468;

/** PostgreSQL takes out of its files what was deleted as it goes. */
const VACUUMS_BY_ITSELF = async () => undefined;

/** Object IDs of types, from PostgreSQL's pg_type. */
const BYTEA = 17;
const INT8 = 20;

/**
 * Connects, and brings the schema up to date while other instances that start wait.
 * @param url postgres://user:password@host:port/database
 * @throws KithError `database-unreachable`, `data-newer`
 */
export async function openPostgresStorage(
  url: string,
  now: () => number,
  beforeUpgrade?: BeforeUpgrade,
): Promise<Storage> {
  const name = databaseName(url);
  try {
    await migrateAlone(url, now, beforeUpgrade);
  } catch (error) {
    if (error instanceof KithError && error.code !== "login-server-busy") throw error;
    throw new KithError("database-unreachable", { database: name, why: reasonOf(error) }, { cause: error });
  }
  const db = connect(url, QUERY_TIMEOUT_MS);
  return { engine: "postgres", name, db, scrub: VACUUMS_BY_ITSELF, close: () => db.destroy() };
}

/** A connection that changes nothing by itself, for long reading and writing. */
export function connectPostgres(url: string): Storage {
  const db = connect(url, MIGRATION_TIMEOUT_MS);
  return { engine: "postgres", name: databaseName(url), db, scrub: VACUUMS_BY_ITSELF, close: () => db.destroy() };
}

async function migrateAlone(url: string, now: () => number, beforeUpgrade?: BeforeUpgrade): Promise<void> {
  const db = connect(url, MIGRATION_TIMEOUT_MS);
  try {
    await db.connection().execute(async (connection) => {
      await sql`select pg_advisory_lock(${MIGRATION_LOCK})`.execute(connection);
      await migrate(connection, { bytes: "bytea" }, now, databaseName(url), beforeUpgrade && { beforeUpgrade });
    });
  } finally {
    // Ends the connection, and with it the lock.
    await db.destroy();
  }
}

/** The address of a database as it may be shown: without user and password. */
export function databaseName(url: string): string {
  const { host, pathname, searchParams } = new URL(url);
  return `${host || (searchParams.get("host") ?? "")}${pathname}`;
}

function connect(url: string, queryTimeoutMs: number): Kysely<Schema> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: "kith-login-server",
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: queryTimeoutMs,
    statement_timeout: queryTimeoutMs,
    idle_in_transaction_session_timeout: queryTimeoutMs,
    keepAlive: true,
    types: { getTypeParser },
  });
  // An idle connection that breaks has left the pool already; the next request opens another one.
  pool.on("error", () => undefined);
  return new Kysely<Schema>({ dialect: postgresDialect(pool) });
}

/** As SQLite gives them: whole numbers as numbers, bytes as plain Uint8Array. */
function getTypeParser(oid: number): (text: string) => unknown {
  if (oid === INT8) return wholeNumber;
  const parse: (text: string) => unknown = pg.types.getTypeParser(oid);
  if (oid !== BYTEA) return parse;
  return (text) => {
    const bytes = parse(text);
    return Buffer.isBuffer(bytes) ? new Uint8Array(bytes) : bytes;
  };
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${text} is no whole number that we count with`);
  return number;
}

function reasonOf(error: unknown): string {
  const cause = error instanceof KithError ? error.cause : error;
  // A refused connection to a name with several addresses is an AggregateError without words.
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
}
