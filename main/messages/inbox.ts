/** What arrives: opened, checked, stored together with its receipt, and only then acknowledged. */
import type { CallSignal } from "../../protocol/call-signal.ts";
import { type ErrorCode, KithError } from "../../protocol/errors.ts";
import { type DeviceAddress, type MessageId, UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import type { PayloadHeader } from "../../protocol/payload.ts";
import { fromBase64 } from "../account/login-http.ts";
import type { BuddyList } from "../buddies/buddy-list.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Db, Tx } from "../storage/database-schema.ts";
import type { Conversations, Delivery, NewMessage } from "./conversations.ts";
import type { Envelopes, OpenedEnvelope } from "./envelopes.ts";
import type { Outbox } from "./outbox.ts";
import type { Receipts } from "./receipts.ts";
import type { SeenEnvelopes } from "./seen-envelopes.ts";
import type { VoiceMessages } from "./voice-messages.ts";

interface Parts {
  readonly db: Db;
  readonly self: DeviceAddress;
  readonly buddies: Pick<BuddyList, "isPending" | "decided" | "setProfileKey">;
  readonly envelopes: Envelopes;
  readonly seen: SeenEnvelopes;
  readonly conversations: Conversations;
  readonly voices: VoiceMessages;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this device looks offline though it is there. */
  readonly isHidden: () => boolean;
  readonly listener: InboxListener;
}

export interface InboxListener {
  /** A line is new, or has changed. */
  show(line: LineView): void;
  /** Something is due to this user now. */
  owing(userId: UserId): void;
  /** These messages have arrived at this device. */
  arrived(device: DeviceAddress, messageIds: readonly MessageId[]): void;
  callSignal(from: DeviceAddress, signal: CallSignal, sentAt: number): void;
  statusReadable(userId: UserId): void;
}

/** What another attempt would not change. Anything else is our own trouble. */
const REFUSED_FOR_GOOD: ReadonlySet<ErrorCode> = new Set(["envelope-refused", "malformed", "too-large"]);
const ACCEPTANCE_LAG_MS = 3_000;
/** Envelopes of people who only ask to be buddies are not worth more memory. */
const MAX_WAITING = 16;

type Header<T extends PayloadHeader["type"]> = Extract<PayloadHeader, { type: T }>;

export class Inbox {
  readonly #parts: Parts;
  /** One after the other, in the order of arrival. */
  #queue: Promise<void> = Promise.resolve();
  /** Envelopes that wait for their senders to become buddies. */
  #waiting = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Takes one envelope. Resolves once it is stored, or refused for good.
   * @throws KithError if it could not be stored: the sender keeps it then
   */
  async receive(from: DeviceAddress, bytes: Uint8Array): Promise<void> {
    // Somebody who has just become a buddy may write before the login server has told us so.
    const { buddies } = this.#parts;
    if (this.#waiting < MAX_WAITING && buddies.isPending(from.userId)) {
      this.#waiting++;
      await buddies.decided(from.userId, ACCEPTANCE_LAG_MS);
      this.#waiting--;
    }
    const turn = this.#queue.then(() => this.#receive(from, bytes));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** Resolves once what has come so far is done with. */
  async idle(): Promise<void> {
    await this.#queue;
  }

  async #receive(from: DeviceAddress, bytes: Uint8Array): Promise<void> {
    const { envelopes, log } = this.#parts;
    try {
      await this.#take(envelopes.open(from, bytes));
    } catch (thrown) {
      const error = KithError.from(thrown);
      log.warn("envelope", { code: error.code, ...error.details, cause: error.cause });
      // Taken without a word otherwise: the answer of somebody who is not there is that nothing was taken.
      if (!REFUSED_FOR_GOOD.has(error.code) || this.#parts.isHidden()) throw error;
    }
  }

  async #take(opened: OpenedEnvelope): Promise<void> {
    const { seen, self } = this.#parts;
    const { header } = opened;
    const isOwn = opened.sender.userId === self.userId;
    if (isOwn !== (header.type === "sent-copy") && !(isOwn && header.type === "receipt")) {
      throw new KithError("envelope-refused", { why: `${header.type} from the wrong side` });
    }
    if (await seen.has(opened.id)) return this.#seenBefore(opened);
    switch (header.type) {
      case "chat":
        return this.#chat(opened, header);
      case "voice":
        return this.#voice(opened, header);
      case "sent-copy":
        return this.#sentCopy(opened, header);
      case "receipt":
        return this.#receipt(opened, header);
      case "profile-key":
        return this.#profileKey(opened, header);
      case "call":
        seen.rememberSoon(opened.id, opened.sentAt);
        this.#parts.listener.callSignal(opened.sender, header.signal, opened.sentAt);
        return;
      default:
        return header satisfies never;
    }
  }

  /** A retry means that our receipt was lost: what we have is confirmed again, and nothing else happens. */
  async #seenBefore({ sender, header }: OpenedEnvelope): Promise<void> {
    if (header.type !== "chat" && header.type !== "voice" && header.type !== "sent-copy") return;
    const { db, conversations, receipts, clock, listener } = this.#parts;
    const line = await conversations.message(db, header.messageId);
    if (!line) return;
    await db.transaction().execute((tx) => receipts.owe(tx, sender, [header.messageId], "delivered", clock.now()));
    listener.owing(sender.userId);
  }

  #chat(opened: OpenedEnvelope, { messageId, text, sentAt, sequence }: Header<"chat">): Promise<void> {
    return this.#store(opened, {
      peer: opened.sender.userId,
      mine: false,
      messageId,
      deviceId: opened.sender.deviceId,
      sentAt,
      sequence,
      content: { kind: "text", text },
    });
  }

  #sentCopy(opened: OpenedEnvelope, { to, messageId, text, sentAt, sequence }: Header<"sent-copy">): Promise<void> {
    return this.#store(opened, {
      peer: UserId.parse(to),
      mine: true,
      messageId,
      deviceId: opened.sender.deviceId,
      sentAt,
      sequence,
      content: { kind: "text", text },
    });
  }

  #voice(opened: OpenedEnvelope, header: Header<"voice">): Promise<void> {
    const { voices, clock } = this.#parts;
    const { messageId, index, count, sentAt, sequence, durationMs } = header;
    const sender = opened.sender.userId;
    const message = {
      peer: sender,
      mine: false,
      messageId,
      deviceId: opened.sender.deviceId,
      sentAt,
      sequence,
      content: { kind: "voice", durationMs },
    } as const;
    return this.#store(opened, message, async (tx) => {
      const ogg = await voices.take(tx, { messageId, sender, index, count, bytes: opened.bytes }, clock.now());
      if (ogg) await voices.store(tx, messageId, ogg);
      return ogg !== null;
    });
  }

  /**
   * Line, envelope ID and receipt in one transaction: after a crash all are there, or none.
   * @param isWhole stores what belongs to the message; false if some of it is still to come
   */
  async #store(
    opened: OpenedEnvelope,
    message: NewMessage,
    isWhole: (tx: Tx) => Promise<boolean> = async () => true,
  ): Promise<void> {
    const { db, conversations, receipts, seen, clock, listener } = this.#parts;
    const line = await db.transaction().execute(async (tx) => {
      await seen.remember(tx, opened.id, opened.sentAt);
      const there = await conversations.message(tx, message.messageId);
      if (there && (there.peer !== message.peer || (there.mine === 1) !== message.mine)) {
        throw new KithError("envelope-refused", { why: "the ID of another message" });
      }
      const added = !there && (await isWhole(tx)) ? await conversations.addMessage(tx, message) : null;
      if (there || added) await receipts.owe(tx, opened.sender, [message.messageId], "delivered", clock.now());
      return added;
    });
    if (line) listener.show(line);
    listener.owing(opened.sender.userId);
  }

  async #receipt({ id, sender, sentAt }: OpenedEnvelope, { state, messageIds }: Header<"receipt">): Promise<void> {
    const { db, conversations, outbox, seen, listener } = this.#parts;
    const reached: Delivery = state;
    const lines = await db.transaction().execute(async (tx) => {
      await seen.remember(tx, id, sentAt);
      await outbox.arrived(tx, sender.userId, sender.deviceId, messageIds);
      return conversations.advance(tx, sender.userId, messageIds, reached);
    });
    for (const line of lines) listener.show(line);
    listener.arrived(sender, messageIds);
  }

  async #profileKey({ sender, id, sentAt }: OpenedEnvelope, { key, version }: Header<"profile-key">): Promise<void> {
    const { buddies, seen, listener } = this.#parts;
    const bytes = fromBase64(key);
    if (bytes.length !== 32) throw new KithError("envelope-refused", { why: "a profile key of another size" });
    const isNews = await buddies.setProfileKey(sender.userId, bytes, version);
    seen.rememberSoon(id, sentAt);
    if (isNews) listener.statusReadable(sender.userId);
  }
}
