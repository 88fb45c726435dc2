/** The conversations, line by line: what was said, in the order of those who said it. */
import { type ExpressionBuilder, sql } from "kysely";
import type { CallRecord } from "../../protocol/call-event.ts";
import type { DeviceId, MessageId, UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import type { Db, ProfileDatabase, Tx } from "../storage/database-schema.ts";
import { type LineRow, lineSummary, lineView } from "./line-view.ts";

export interface ConversationSummary {
  readonly unread: number;
  readonly lastActivityAt: number | null;
  readonly lastLine: string;
}

/** A text or voice message about to be stored. */
export interface NewMessage {
  readonly peer: UserId;
  readonly mine: boolean;
  readonly messageId: MessageId;
  /** Of the sender's devices; null: written here. */
  readonly deviceId: DeviceId | null;
  readonly sentAt: number;
  readonly sequence: number;
  readonly content:
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "voice"; readonly durationMs: number };
}

export type Delivery = "waiting" | "sent" | "delivered" | "read";
/** What has happened to a message never un-happens: reports may come in any order. */
const BEFORE: Readonly<Record<Delivery, readonly Delivery[]>> = {
  waiting: [],
  sent: ["waiting"],
  delivered: ["waiting", "sent"],
  read: ["waiting", "sent", "delivered"],
};

const NOTHING_SAID: ConversationSummary = { unread: 0, lastActivityAt: null, lastLine: "" };

export class Conversations {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /** Stores a message that is not there yet (`message` tells). */
  async addMessage(tx: Tx, message: NewMessage): Promise<LineView> {
    const { peer, mine, messageId, content } = message;
    const row = await tx
      .insertInto("lines")
      .values({
        peer,
        position: await this.#placeOf(tx, message),
        sequence: message.sequence,
        kind: content.kind,
        mine: bit(mine),
        at: message.sentAt,
        unread: bit(!mine),
        message_id: messageId,
        device_id: message.deviceId,
        text: content.kind === "text" ? content.text : "",
        delivery: firstDelivery(message),
        duration_ms: content.kind === "voice" ? content.durationMs : null,
        call_id: null,
        reason: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return lineView(row);
  }

  /** The number of our next message to this peer: grows with time, so that our devices' messages interleave rightly. */
  async nextSequence(tx: Tx, peer: UserId, now: number): Promise<number> {
    const { latest } = await tx
      .selectFrom("lines")
      .select((eb) => eb.fn.max("sequence").as("latest"))
      .where("peer", "=", peer)
      .where("mine", "=", 1)
      .executeTakeFirstOrThrow();
    return Math.max((latest ?? 0) + 1, now);
  }

  /** Writes down what became of a call; once, whichever way it is told. */
  async addCall(record: CallRecord): Promise<LineView | null> {
    const incoming = record.direction === "incoming";
    const missed = incoming && record.durationMs === null && !ANSWERED.has(record.reason);
    const row = await this.#db.transaction().execute(async (tx) =>
      tx
        .insertInto("lines")
        .values({
          peer: record.peer,
          position: await this.#nextPosition(tx, record.peer),
          sequence: 0,
          kind: "call",
          mine: bit(!incoming),
          at: record.endedAt - (record.durationMs ?? 0),
          unread: bit(missed),
          message_id: null,
          device_id: null,
          text: "",
          delivery: null,
          duration_ms: record.durationMs,
          call_id: record.callId,
          reason: record.reason,
        })
        .onConflict((conflict) => conflict.column("call_id").doNothing())
        .returningAll()
        .executeTakeFirst(),
    );
    return row ? lineView(row) : null;
  }

  /** Moves our own messages to this peer forward. @returns the lines that have changed */
  async advance(tx: Tx, peer: UserId, messageIds: readonly MessageId[], to: Delivery): Promise<LineView[]> {
    if (messageIds.length === 0) return [];
    const rows = await tx
      .updateTable("lines")
      .set({ delivery: to })
      .where("message_id", "in", messageIds)
      .where("peer", "=", peer)
      .where("mine", "=", 1)
      .where("delivery", "in", BEFORE[to])
      .returningAll()
      .execute();
    return rows.map(lineView);
  }

  /** Nothing of this conversation is unread any more. @returns the messages that were */
  async markRead(tx: Tx, peer: UserId): Promise<{ messageId: MessageId; deviceId: DeviceId }[]> {
    const rows = await tx
      .updateTable("lines")
      .set({ unread: 0 })
      .where("peer", "=", peer)
      .where("unread", "=", 1)
      .returning(["message_id", "device_id"])
      .execute();
    return rows.flatMap(({ message_id, device_id }) =>
      message_id && device_id ? [{ messageId: message_id, deviceId: device_id }] : [],
    );
  }

  /** Lines older than `before` (a line ID; null: the newest), oldest first. */
  async page(peer: UserId, before: string | null, limit: number): Promise<{ lines: LineView[]; more: boolean }> {
    let query = this.#db.selectFrom("lines").selectAll().where("peer", "=", peer);
    if (before !== null) {
      const cursor = await this.#db
        .selectFrom("lines")
        .select(["position", "sequence", "line_id"])
        .where("line_id", "=", Number(before))
        .where("peer", "=", peer)
        .executeTakeFirst();
      if (!cursor) return { lines: [], more: false };
      const { position, sequence, line_id } = cursor;
      query = query.where(sql<boolean>`(position, sequence, line_id) < (${position}, ${sequence}, ${line_id})`);
    }
    const rows = await query
      .orderBy("position", "desc")
      .orderBy("sequence", "desc")
      .orderBy("line_id", "desc")
      .limit(limit + 1)
      .execute();
    return { lines: rows.slice(0, limit).reverse().map(lineView), more: rows.length > limit };
  }

  async summary(peer: UserId): Promise<ConversationSummary> {
    const newest = await this.#db
      .selectFrom("lines")
      .select(["kind", "text", "at"])
      .where("peer", "=", peer)
      .orderBy("position", "desc")
      .orderBy("sequence", "desc")
      .limit(1)
      .executeTakeFirst();
    if (!newest) return NOTHING_SAID;
    const { unread } = await this.#db
      .selectFrom("lines")
      .select((eb: ExpressionBuilder<ProfileDatabase, "lines">) => eb.fn.countAll<number>().as("unread"))
      .where("peer", "=", peer)
      .where("unread", "=", 1)
      .executeTakeFirstOrThrow();
    return { unread, lastActivityAt: newest.at, lastLine: lineSummary(newest) };
  }

  async message(tx: Db | Tx, messageId: MessageId): Promise<LineRow | undefined> {
    return tx.selectFrom("lines").selectAll().where("message_id", "=", messageId).executeTakeFirst();
  }

  /**
   * A message comes last, unless its sender has said something later that is here already: then
   * it takes that line's place, before it by its sequence.
   */
  async #placeOf(tx: Tx, { peer, mine, sequence }: NewMessage): Promise<number> {
    const overtaken = await tx
      .selectFrom("lines")
      .select((eb) => eb.fn.min("position").as("position"))
      .where("peer", "=", peer)
      .where("mine", "=", bit(mine))
      .where("sequence", ">", sequence)
      .where("message_id", "is not", null)
      .executeTakeFirst();
    return overtaken?.position ?? this.#nextPosition(tx, peer);
  }

  async #nextPosition(tx: Tx, peer: UserId): Promise<number> {
    const { last } = await tx
      .selectFrom("lines")
      .select((eb) => eb.fn.max("position").as("last"))
      .where("peer", "=", peer)
      .executeTakeFirstOrThrow();
    return (last ?? 0) + 1;
  }
}

/** Ends of an incoming call that the user knows of without being told. */
const ANSWERED = new Set(["declined", "answered-elsewhere", "declined-elsewhere"]);

/** What another device of ours has sent is on its way already. */
function firstDelivery({ mine, deviceId }: NewMessage): LineRow["delivery"] {
  if (!mine) return "received";
  return deviceId === null ? "waiting" : "sent";
}

function bit(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}
