/** Receipts that we still owe: stored together with the message, so that no crash can swallow one. */
import type { DeviceAddress, DeviceId, MessageId, UserId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Db, Tx } from "../storage/database-schema.ts";

export interface DueReceipts {
  readonly state: "delivered" | "read";
  readonly messageIds: MessageId[];
}

/** The schema's limit for one payload. */
const MAX_PER_ENVELOPE = 500;

export class Receipts {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async owe(
    tx: Tx,
    to: DeviceAddress,
    messageIds: readonly MessageId[],
    state: DueReceipts["state"],
    now: number,
  ): Promise<void> {
    if (messageIds.length === 0) return;
    await tx
      .insertInto("receipts")
      .values(
        messageIds.map((message_id) => ({
          recipient: to.userId,
          device_id: to.deviceId,
          message_id,
          state,
          created_at: now,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async recipients(): Promise<UserId[]> {
    const rows = await this.#db.selectFrom("receipts").select("recipient").distinct().execute();
    return rows.map(({ recipient }) => recipient);
  }

  /** The oldest receipts for this device that fit one envelope; null: none. */
  async dueTo(userId: UserId, deviceId: DeviceId): Promise<DueReceipts | null> {
    const rows = await this.#db
      .selectFrom("receipts")
      .select(["message_id", "state"])
      .where("recipient", "=", userId)
      .where("device_id", "=", deviceId)
      .orderBy("state")
      .orderBy("created_at")
      .limit(MAX_PER_ENVELOPE)
      .execute();
    const state = rows[0]?.state;
    if (!state) return null;
    return { state, messageIds: rows.filter((row) => row.state === state).map(({ message_id }) => message_id) };
  }

  async sent({ userId, deviceId }: DeviceAddress, { state, messageIds }: DueReceipts): Promise<void> {
    await this.#db
      .deleteFrom("receipts")
      .where("recipient", "=", userId)
      .where("device_id", "=", deviceId)
      .where("state", "=", state)
      .where("message_id", "in", messageIds)
      .execute();
  }

  /** Devices that have not been seen for so long will not come back. */
  async prune(now: number): Promise<void> {
    await this.#db
      .deleteFrom("receipts")
      .where("created_at", "<", now - TIMES.envelopeMaxAgeMs)
      .execute();
  }
}
