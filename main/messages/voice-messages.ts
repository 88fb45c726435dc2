/** Voice messages: Ogg Opus, in chunks on the way, shown only when whole. */
import { concatBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { MessageId, UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db, Tx } from "../storage/database-schema.ts";

/** First bytes of every Ogg page (RFC 3533). */
const OGG_MAGIC = [0x4f, 0x67, 0x67, 0x53];
/** Unfinished voice messages of one sender; more would let a buddy fill the disk. */
const MAX_UNFINISHED = 4;

export interface VoiceChunk {
  readonly messageId: MessageId;
  readonly sender: UserId;
  readonly index: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** @throws KithError `malformed`, `too-large` */
export function requireVoice(ogg: Uint8Array): void {
  if (ogg.length > LIMITS.maxVoiceMessageBytes) {
    throw new KithError("too-large", { what: "a voice message", limit: `${LIMITS.maxVoiceMessageBytes} bytes` });
  }
  if (OGG_MAGIC.some((byte, index) => ogg[index] !== byte)) throw new KithError("malformed", { what: "voice message" });
}

/** @returns at least one chunk */
export function chunksOf(ogg: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < ogg.length; start += LIMITS.maxChunkBytes) {
    chunks.push(ogg.subarray(start, start + LIMITS.maxChunkBytes));
  }
  return chunks;
}

export class VoiceMessages {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async store(tx: Tx, messageId: MessageId, ogg: Uint8Array): Promise<void> {
    await tx.insertInto("voice").values({ message_id: messageId, ogg }).execute();
  }

  /** @throws KithError `no-such-message` */
  async read(messageId: MessageId): Promise<Uint8Array<ArrayBuffer>> {
    const row = await this.#db.selectFrom("voice").select("ogg").where("message_id", "=", messageId).executeTakeFirst();
    if (!row) throw new KithError("no-such-message");
    return bytesOf(row.ogg);
  }

  /**
   * Takes one chunk. @returns the whole message once its last chunk is there, otherwise null
   * @throws KithError `envelope-refused` for chunks that do not make a voice message; what was there of it is dropped
   */
  async take(tx: Tx, chunk: VoiceChunk, now: number): Promise<Uint8Array | null> {
    const { messageId, sender, index, count, bytes } = chunk;
    const before = await tx
      .selectFrom("voice_chunks")
      .select("chunk_count")
      .where("message_id", "=", messageId)
      .where("sender", "=", sender)
      .executeTakeFirst();
    if (index >= count || bytes.length > LIMITS.maxChunkBytes || (before && before.chunk_count !== count)) {
      throw new KithError("envelope-refused", { why: "chunks that do not fit each other" });
    }
    if (!before) await this.#makeRoom(tx, sender);
    await tx
      .insertInto("voice_chunks")
      .values({ message_id: messageId, sender, chunk_index: index, chunk_count: count, received_at: now, bytes })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const ofMessage = tx.selectFrom("voice_chunks").where("message_id", "=", messageId).where("sender", "=", sender);
    const { there } = await ofMessage.select((eb) => eb.fn.countAll<number>().as("there")).executeTakeFirstOrThrow();
    if (there < count) return null;
    const chunks = await ofMessage.select("bytes").orderBy("chunk_index").execute();
    await this.#drop(tx, sender, messageId);
    const ogg = concatBytes(chunks.map((row) => bytesOf(row.bytes)));
    requireVoice(ogg);
    return ogg;
  }

  async #makeRoom(tx: Tx, sender: UserId): Promise<void> {
    const unfinished = await tx
      .selectFrom("voice_chunks")
      .select("message_id")
      .where("sender", "=", sender)
      .groupBy("message_id")
      .orderBy((eb) => eb.fn.max("received_at"), "desc")
      .execute();
    for (const { message_id } of unfinished.slice(MAX_UNFINISHED - 1)) await this.#drop(tx, sender, message_id);
  }

  async #drop(tx: Tx, sender: UserId, messageId: MessageId): Promise<void> {
    await tx.deleteFrom("voice_chunks").where("sender", "=", sender).where("message_id", "=", messageId).execute();
  }
}
