/**
 * Messages that somebody still has to get. A message stays here until a device of the
 * recipient has said, end to end, that it is stored, and for that person's other devices as
 * long as the directory knows them.
 */
import type { DeviceId, MessageId, UserId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Db, Tx } from "../storage/database-schema.ts";

export interface OutboxEntry {
  readonly ordinal: number;
  readonly messageId: MessageId;
  readonly recipient: UserId;
}

export class Outbox {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async add(tx: Tx, messageId: MessageId, recipient: UserId, now: number): Promise<void> {
    await tx.insertInto("outbox").values({ message_id: messageId, recipient, created_at: now, arrived: 0 }).execute();
  }

  /** Whom anything waits for. */
  async recipients(): Promise<UserId[]> {
    const rows = await this.#db.selectFrom("outbox").select("recipient").distinct().execute();
    return rows.map(({ recipient }) => recipient);
  }

  /** What this device has not got yet, oldest first. @param after an ordinal to go on from */
  async pendingFor(recipient: UserId, device: DeviceId, after: number, limit: number): Promise<OutboxEntry[]> {
    const rows = await this.#db
      .selectFrom("outbox")
      .leftJoin("deliveries", (join) =>
        join.onRef("deliveries.ordinal", "=", "outbox.ordinal").on("deliveries.device_id", "=", device),
      )
      .select(["outbox.ordinal", "outbox.message_id"])
      .where("outbox.recipient", "=", recipient)
      .where("outbox.ordinal", ">", after)
      .where("deliveries.ordinal", "is", null)
      .orderBy("outbox.ordinal")
      .limit(limit)
      .execute();
    return rows.map(({ ordinal, message_id }) => ({ ordinal, messageId: message_id, recipient }));
  }

  /** This device of the recipient has stored these messages. */
  async arrived(tx: Tx, recipient: UserId, device: DeviceId, messageIds: readonly MessageId[]): Promise<void> {
    const entries = await tx
      .selectFrom("outbox")
      .select("ordinal")
      .where("recipient", "=", recipient)
      .where("message_id", "in", messageIds)
      .execute();
    if (entries.length === 0) return;
    const ordinals = entries.map(({ ordinal }) => ordinal);
    await tx
      .insertInto("deliveries")
      .values(ordinals.map((ordinal) => ({ ordinal, device_id: device })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await tx.updateTable("outbox").set({ arrived: 1 }).where("ordinal", "in", ordinals).execute();
  }

  /**
   * Drops what has arrived at every device that there is.
   * @param devices all that the directory knows of the recipient
   * @param alone the recipient is our own account: without other devices nothing needs to arrive
   */
  async settle(tx: Tx, recipient: UserId, devices: readonly DeviceId[], alone: boolean, now: number): Promise<void> {
    let done = tx.deleteFrom("outbox").where("recipient", "=", recipient);
    if (!alone) done = done.where("arrived", "=", 1);
    for (const device of devices) {
      done = done.where(({ exists, selectFrom }) =>
        exists(
          selectFrom("deliveries")
            .select("deliveries.ordinal")
            .whereRef("deliveries.ordinal", "=", "outbox.ordinal")
            .where("deliveries.device_id", "=", device),
        ),
      );
    }
    await done.execute();
    await tx
      .deleteFrom("outbox")
      .where("recipient", "=", recipient)
      .where("arrived", "=", 1)
      .where("created_at", "<", now - TIMES.envelopeMaxAgeMs)
      .execute();
  }

  /** They are no buddy any more: nothing can be sent to them. */
  async drop(recipient: UserId): Promise<void> {
    await this.#db.deleteFrom("outbox").where("recipient", "=", recipient).execute();
  }
}
