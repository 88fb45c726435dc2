/** The IDs of all envelopes taken within the last 30 days: none is acted on twice, over restarts too. */
import type { MessageId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import type { Db, Tx } from "../storage/database-schema.ts";

/** Call signals are too many and too short-lived to wait for the disk one by one. */
const WRITE_DELAY_MS = 250;

export class SeenEnvelopes {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #background: Background;
  readonly #unwritten = new Map<MessageId, number>();
  #cancelWrite: (() => void) | null = null;

  constructor(db: Db, clock: Clock, background: Background) {
    this.#db = db;
    this.#clock = clock;
    this.#background = background;
  }

  /** Forgets what is too old to be taken anyway. */
  async prune(): Promise<void> {
    const oldest = this.#clock.now() - TIMES.envelopeMaxAgeMs;
    await this.#db.deleteFrom("seen_envelopes").where("sent_at", "<", oldest).execute();
  }

  async has(id: MessageId): Promise<boolean> {
    if (this.#unwritten.has(id)) return true;
    const row = await this.#db
      .selectFrom("seen_envelopes")
      .select("envelope_id")
      .where("envelope_id", "=", id)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Remembers it together with what it brought: after a crash both are there, or neither. */
  async remember(tx: Tx, id: MessageId, sentAt: number): Promise<void> {
    await tx.insertInto("seen_envelopes").values({ envelope_id: id, sent_at: sentAt }).execute();
  }

  /** Remembers it now, and on the disk soon: enough for what means nothing a minute later. */
  rememberSoon(id: MessageId, sentAt: number): void {
    this.#unwritten.set(id, sentAt);
    this.#cancelWrite ??= this.#clock.after(WRITE_DELAY_MS, () => this.#background.run("seen envelopes", this.flush()));
  }

  async flush(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = null;
    const rows = [...this.#unwritten].map(([envelope_id, sent_at]) => ({ envelope_id, sent_at }));
    if (rows.length === 0) return;
    await this.#db
      .insertInto("seen_envelopes")
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    for (const { envelope_id } of rows) this.#unwritten.delete(envelope_id);
  }
}
