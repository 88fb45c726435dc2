/** What the user does in a conversation: writing, speaking, reading. */
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { BuddyList } from "../buddies/buddy-list.ts";
import type { Surroundings } from "../core/client-options.ts";
import { newMessageId } from "../core/randomness.ts";
import type { DirectoryView } from "../directory/directory-view.ts";
import type { Db } from "../storage/database-schema.ts";
import type { NewMessage } from "./conversations.ts";
import type { MailRoom } from "./mail-room.ts";
import { requireVoice } from "./voice-messages.ts";

/** JSON of the text; leaves room for the rest of the header, the seal and the signature. */
const MAX_TEXT_BYTES = LIMITS.maxEnvelopeBytes - 2_048;

export interface MessagesParts {
  readonly db: Db;
  readonly self: UserId;
  readonly mail: Pick<MailRoom, "conversations" | "outbox" | "receipts" | "voices" | "due">;
  readonly buddies: Pick<BuddyList, "require">;
  readonly directory: Pick<DirectoryView, "devices" | "knows">;
  readonly surroundings: Pick<Surroundings, "clock" | "random">;
  /** The line is new. */
  readonly show: (line: LineView) => void;
}

export class Messages {
  readonly #parts: MessagesParts;

  constructor(parts: MessagesParts) {
    this.#parts = parts;
  }

  /** Kept for good when this resolves. @throws KithError `message-empty`, `message-too-long`, `not-a-buddy`, `key-changed` */
  async sendText(peer: UserId, text: string): Promise<LineView> {
    if (text.trim() === "") throw new KithError("message-empty");
    // Counted as the composer counts; control characters take six bytes each on the way.
    if (text.length > LIMITS.maxMessageLength || Buffer.byteLength(JSON.stringify(text)) > MAX_TEXT_BYTES) {
      throw new KithError("message-too-long", { limit: LIMITS.maxMessageLength });
    }
    return this.#send(peer, { kind: "text", text });
  }

  /** Kept for good when this resolves. @throws KithError `malformed`, `too-large`, `not-a-buddy`, `key-changed` */
  async sendVoice(peer: UserId, ogg: Uint8Array, durationMs: number): Promise<LineView> {
    requireVoice(ogg);
    return this.#send(peer, { kind: "voice", durationMs }, ogg);
  }

  async markRead(peer: UserId): Promise<void> {
    const { db, mail, surroundings } = this.#parts;
    const now = surroundings.clock.now();
    await db.transaction().execute(async (tx) => {
      for (const { messageId, deviceId } of await mail.conversations.markRead(tx, peer)) {
        await mail.receipts.owe(tx, { userId: peer, deviceId }, [messageId], "read", now);
      }
    });
    mail.due(peer);
  }

  async #send(peer: UserId, content: NewMessage["content"], ogg?: Uint8Array): Promise<LineView> {
    const { db, self, mail, buddies, surroundings, show } = this.#parts;
    buddies.require(peer);
    const messageId = newMessageId(surroundings.random);
    const now = surroundings.clock.now();
    const line = await db.transaction().execute(async (tx) => {
      const sequence = await mail.conversations.nextSequence(tx, peer, now);
      const message = { peer, mine: true, messageId, deviceId: null, sentAt: now, sequence, content };
      const added = await mail.conversations.addMessage(tx, message);
      if (ogg) await mail.voices.store(tx, messageId, ogg);
      await mail.outbox.add(tx, messageId, peer, now);
      // A copy for our other devices; the protocol has none of voice.
      if (content.kind === "text" && this.#mayHaveOtherDevices()) await mail.outbox.add(tx, messageId, self, now);
      return added;
    });
    show(line);
    mail.due(peer);
    mail.due(self);
    return line;
  }

  /** Unless the directory has said otherwise. */
  #mayHaveOtherDevices(): boolean {
    const { self, directory } = this.#parts;
    return directory.devices(self).length > 0 || !directory.knows(self);
  }
}
