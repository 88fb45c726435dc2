/** What is due to one device, as envelopes: our profile key, receipts, messages, copies for our own devices. */
import type { DeviceAddress, MessageId, UserId } from "../../protocol/identifiers.ts";
import type { AccountKeys } from "../account/account-keys.ts";
import { toBase64 } from "../account/login-http.ts";
import type { BuddyList } from "../buddies/buddy-list.ts";
import type { Surroundings } from "../core/client-options.ts";
import { newMessageId } from "../core/randomness.ts";
import type { Db } from "../storage/database-schema.ts";
import type { Conversations } from "./conversations.ts";
import { type Consignment, type ConsignmentSource, WINDOW } from "./courier.ts";
import { type Envelopes, envelopeIdFor } from "./envelopes.ts";
import type { LineRow } from "./line-view.ts";
import type { Outbox, OutboxEntry } from "./outbox.ts";
import type { Receipts } from "./receipts.ts";
import { chunksOf, type VoiceMessages } from "./voice-messages.ts";

const PROFILE_KEY_VERSION = 1;

interface Parts {
  readonly db: Db;
  readonly self: DeviceAddress;
  readonly keys: AccountKeys;
  readonly buddies: Pick<BuddyList, "trusted">;
  readonly envelopes: Envelopes;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly conversations: Conversations;
  readonly voices: VoiceMessages;
  readonly surroundings: Surroundings;
  /** A supernode says that a device of the recipient has taken the message. */
  readonly sent: (recipient: UserId, messageId: MessageId) => void;
}

export class Consignments implements ConsignmentSource {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async dueTo(device: DeviceAddress, underWay: ReadonlySet<string>): Promise<Consignment[]> {
    if (!this.#mayGetAnything(device.userId)) return [];
    const profileKey = await this.#profileKey(device);
    if (profileKey) return [profileKey];
    const receipts = await this.#receipts(device);
    if (receipts) return [receipts];
    return this.#messages(device, underWay);
  }

  #mayGetAnything(userId: UserId): boolean {
    return userId === this.#parts.self.userId || this.#parts.buddies.trusted(userId) !== null;
  }

  async #profileKey(device: DeviceAddress): Promise<Consignment | null> {
    const { db, self, keys, envelopes, surroundings } = this.#parts;
    // Our own devices have it from the vault.
    if (device.userId === self.userId) return null;
    const row = { user_id: device.userId, device_id: device.deviceId };
    const given = await db
      .selectFrom("profile_keys_given")
      .select("device_id")
      .where("user_id", "=", row.user_id)
      .where("device_id", "=", row.device_id)
      .executeTakeFirst();
    if (given) return null;
    const header = { type: "profile-key", key: toBase64(keys.profileKey), version: PROFILE_KEY_VERSION } as const;
    return {
      name: "profile-key",
      seal: () => envelopes.seal(newMessageId(surroundings.random), device, header),
      taken: async () => {
        await db
          .insertInto("profile_keys_given")
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      },
      retryMs: null,
    };
  }

  async #receipts(device: DeviceAddress): Promise<Consignment | null> {
    const { receipts, envelopes, surroundings } = this.#parts;
    const due = await receipts.dueTo(device.userId, device.deviceId);
    if (!due) return null;
    return {
      name: "receipts",
      seal: () => envelopes.seal(newMessageId(surroundings.random), device, { type: "receipt", ...due }),
      taken: () => receipts.sent(device, due),
      retryMs: null,
    };
  }

  async #messages(device: DeviceAddress, underWay: ReadonlySet<string>): Promise<Consignment[]> {
    const { outbox, conversations, db } = this.#parts;
    if (underWay.size >= WINDOW) return [];
    const consignments: Consignment[] = [];
    let after = 0;
    while (consignments.length === 0) {
      const entries = await outbox.pendingFor(device.userId, device.deviceId, after, WINDOW);
      for (const entry of entries) {
        after = entry.ordinal;
        if (underWay.has(entry.messageId)) continue;
        const line = await conversations.message(db, entry.messageId);
        if (!line) continue;
        if (line.kind === "voice") {
          // Its chunks are a load of their own: what comes behind waits for them.
          if (consignments.length > 0) break;
          return this.#voice(device, entry, line);
        }
        consignments.push(this.#text(device, entry, line));
      }
      if (entries.length < WINDOW) break;
    }
    return consignments;
  }

  #text(device: DeviceAddress, entry: OutboxEntry, line: LineRow): Consignment {
    const { self, envelopes, surroundings, sent } = this.#parts;
    const message = {
      messageId: entry.messageId,
      text: line.text,
      sentAt: line.at,
      sequence: line.sequence,
    };
    const header =
      device.userId === self.userId
        ? ({ type: "sent-copy", to: line.peer, ...message } as const)
        : ({ type: "chat", ...message } as const);
    return {
      name: entry.messageId,
      seal: () => envelopes.seal(envelopeIdFor(entry.messageId, self, device, 0), device, header),
      taken: async () => sent(device.userId, entry.messageId),
      retryMs: surroundings.times.receiptRetryMs,
    };
  }

  async #voice(device: DeviceAddress, entry: OutboxEntry, line: LineRow): Promise<Consignment[]> {
    const { self, envelopes, surroundings, voices, sent } = this.#parts;
    const chunks = chunksOf(await voices.read(entry.messageId));
    return chunks.map((bytes, index) => ({
      name: entry.messageId,
      seal: () =>
        envelopes.seal(
          envelopeIdFor(entry.messageId, self, device, index),
          device,
          {
            type: "voice",
            messageId: entry.messageId,
            sentAt: line.at,
            sequence: line.sequence,
            durationMs: line.duration_ms ?? 0,
            index,
            count: chunks.length,
          },
          bytes,
        ),
      taken: async () => {
        if (index === chunks.length - 1) sent(device.userId, entry.messageId);
      },
      retryMs: surroundings.times.receiptRetryMs,
    }));
  }
}
