/**
 * Kysely's driver for PostgreSQL, with one thing that its own has not: a database that is
 * out of reach becomes a refusal for now (`login-server-busy`), and a connection that broke
 * is thrown away with whatever it had begun.
 */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from "kysely";
import type pg from "pg";
import { isConnectionLost, isOutOfReach, storageBusy } from "./storage-fault.ts";

export function postgresDialect(pool: pg.Pool): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PostgresDriver(pool),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

class PostgresDriver implements Driver {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    try {
      return new PostgresConnection(await this.#pool.connect());
    } catch (error) {
      throw refusedIfGone(error);
    }
  }

  async beginTransaction(connection: PostgresConnection, settings: TransactionSettings): Promise<void> {
    const level = settings.isolationLevel ? ` isolation level ${settings.isolationLevel}` : "";
    const access = settings.accessMode ? ` ${settings.accessMode}` : "";
    await connection.executeQuery(CompiledQuery.raw(`start transaction${level}${access}`));
  }

  /** When the connection breaks here, only the database knows whether it was done: whoever asked asks again. */
  async commitTransaction(connection: PostgresConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("commit"));
  }

  async rollbackTransaction(connection: PostgresConnection): Promise<void> {
    await connection.rollback();
  }

  async releaseConnection(connection: PostgresConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient;
  /** Why it is of no more use. */
  #broken: Error | null = null;
  readonly #onError = (error: Error) => {
    this.#broken = error;
  };

  constructor(client: pg.PoolClient) {
    this.#client = client;
    // The query that is under way reports it too; without a listener it would end the process.
    client.on("error", this.#onError);
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const { command, rowCount, rows } = await this.#client.query(sql, [...parameters]);
      return CHANGES_ROWS.has(command) ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows };
    } catch (error) {
      if (error instanceof Error && isConnectionLost(error)) this.#broken = error;
      throw refusedIfGone(error);
    }
  }

  async rollback(): Promise<void> {
    // What a broken connection had begun, PostgreSQL undoes by itself.
    if (!this.#broken) await this.executeQuery(CompiledQuery.raw("rollback"));
  }

  release(): void {
    this.#client.off("error", this.#onError);
    this.#client.release(this.#broken ?? undefined);
  }

  // biome-ignore lint/correctness/useYield: part of the interface; nothing here reads row by row.
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error("rows are not streamed");
  }
}

const CHANGES_ROWS = new Set(["INSERT", "UPDATE", "DELETE", "MERGE"]);

function refusedIfGone(error: unknown): unknown {
  return isOutOfReach(error) ? storageBusy(error) : error;
}
