/** What the user does in a conversation: writing, speaking, reading. */
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { AccountSession } from "./account-session.ts";
import type { Surroundings } from "./client-options.ts";
import type { NewMessage } from "./conversations.ts";
import type { Db, Tx } from "./database-schema.ts";
import { newMessageId } from "./randomness.ts";
import { requireVoice } from "./voice-messages.ts";

/** JSON of the text; leaves room for the rest of the header, the seal and the signature. */
const MAX_TEXT_BYTES = LIMITS.maxEnvelopeBytes - 2_048;

export class Messages {
  readonly #db: Db;
  readonly #surroundings: Surroundings;

  constructor(db: Db, surroundings: Surroundings) {
    this.#db = db;
    this.#surroundings = surroundings;
  }

  /** @throws KithError `message-empty`, `message-too-long`, `not-a-buddy`, `key-changed` */
  sendText(session: AccountSession, peer: UserId, text: string): Promise<LineView> {
    if (text.trim() === "") throw new KithError("message-empty");
    // Counted as the composer counts; control characters take six bytes each on the way.
    if (text.length > LIMITS.maxMessageLength || Buffer.byteLength(JSON.stringify(text)) > MAX_TEXT_BYTES) {
      throw new KithError("message-too-long", { limit: LIMITS.maxMessageLength });
    }
    return this.#send(session, peer, { kind: "text", text });
  }

  /** @throws KithError `malformed`, `too-large`, `not-a-buddy`, `key-changed` */
  sendVoice(session: AccountSession, peer: UserId, ogg: Uint8Array, durationMs: number): Promise<LineView> {
    requireVoice(ogg);
    return this.#send(session, peer, { kind: "voice", durationMs }, ogg);
  }

  async markRead(session: AccountSession, peer: UserId): Promise<void> {
    const now = this.#surroundings.clock.now();
    const wasUnread = await this.#db.transaction().execute(async (tx) => {
      const read = await session.conversations.markRead(tx, peer);
      for (const { messageId, deviceId } of read) {
        await session.receipts.owe(tx, { userId: peer, deviceId }, [messageId], "read", now);
      }
      return read.length > 0;
    });
    if (wasUnread) session.courier.kick(peer);
    await session.buddiesView.lineChanged(peer);
  }

  async #send(
    session: AccountSession,
    peer: UserId,
    content: NewMessage["content"],
    ogg?: Uint8Array,
  ): Promise<LineView> {
    session.buddies.require(peer);
    const { clock, random } = this.#surroundings;
    const messageId = newMessageId(random);
    const now = clock.now();
    const line = await this.#db.transaction().execute(async (tx: Tx) => {
      const sequence = await session.conversations.nextSequence(tx, peer, now);
      const message = { peer, mine: true, messageId, deviceId: null, sentAt: now, sequence, content };
      const added = await session.conversations.addMessage(tx, message);
      if (ogg) await session.voices.store(tx, messageId, ogg);
      await session.outbox.add(tx, messageId, peer, now);
      // A copy for our other devices; voice has none yet.
      if (content.kind === "text" && session.mayHaveOtherDevices) {
        await session.outbox.add(tx, messageId, session.self.userId, now);
      }
      return added;
    });
    session.show(line);
    session.courier.kick(peer);
    session.courier.kick(session.self.userId);
    return line;
  }
}
