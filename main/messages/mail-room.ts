/** Everything between a conversation and the network: what arrives, what is kept, what goes out. */
import type { DeviceAddress, UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import type { AccountKeys } from "../account/account-keys.ts";
import type { BuddyList } from "../buddies/buddy-list.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { Attachment } from "../directory/attachment.ts";
import type { DirectoryView } from "../directory/directory-view.ts";
import type { Db } from "../storage/database-schema.ts";
import { Consignments } from "./consignments.ts";
import { Conversations } from "./conversations.ts";
import { Courier } from "./courier.ts";
import type { Envelopes } from "./envelopes.ts";
import { Inbox, type InboxListener } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { OutboxClerk } from "./outbox-clerk.ts";
import { Receipts } from "./receipts.ts";
import { SeenEnvelopes } from "./seen-envelopes.ts";
import { VoiceMessages } from "./voice-messages.ts";

export interface MailRoomParts {
  readonly db: Db;
  readonly self: DeviceAddress;
  readonly keys: AccountKeys;
  readonly buddies: Pick<BuddyList, "trusted" | "isPending" | "decided" | "setProfileKey">;
  readonly envelopes: Envelopes;
  readonly directory: Pick<DirectoryView, "device" | "devices" | "isReachable" | "reachable" | "knows">;
  readonly attachment: Pick<Attachment, "home" | "request">;
  readonly surroundings: Surroundings;
  /** Whether this device looks offline though it is there. */
  readonly isHidden: () => boolean;
  readonly listener: Pick<InboxListener, "show" | "callSignal" | "statusReadable">;
}

export class MailRoom {
  readonly conversations: Conversations;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly voices: VoiceMessages;
  readonly #parts: MailRoomParts;
  readonly #seen: SeenEnvelopes;
  readonly #clerk: OutboxClerk;
  readonly #courier: Courier;
  readonly #inbox: Inbox;

  constructor(parts: MailRoomParts) {
    this.#parts = parts;
    const { db, self, directory, attachment, surroundings, listener } = parts;
    const { clock, log, background } = surroundings;
    const show = (line: LineView) => listener.show(line);
    this.conversations = new Conversations(db);
    this.outbox = new Outbox(db);
    this.receipts = new Receipts(db);
    this.voices = new VoiceMessages(db);
    this.#seen = new SeenEnvelopes(db, clock, background);
    const { conversations, outbox, receipts, voices } = this;
    this.#clerk = new OutboxClerk({
      db,
      self: self.userId,
      outbox,
      conversations,
      directory,
      surroundings,
      show,
    });
    const stores = { outbox, receipts, conversations, voices };
    const consignments = new Consignments({
      ...parts,
      ...stores,
      sent: (recipient, messageId) => this.#clerk.sent(recipient, messageId),
    });
    this.#courier = new Courier(consignments, directory, attachment, surroundings);
    this.#inbox = new Inbox({
      ...parts,
      ...stores,
      seen: this.#seen,
      clock,
      log,
      listener: {
        ...listener,
        owing: (userId) => this.#courier.kick(userId),
        arrived: (device, messageIds) => {
          for (const messageId of messageIds) this.#courier.settled(device, messageId);
          this.#courier.kick(device.userId);
          this.#clerk.settle(device.userId);
        },
      },
    });
  }

  async load(): Promise<void> {
    await this.#seen.prune();
    await this.receipts.prune(this.#parts.surroundings.clock.now());
  }

  /** Resolves once the envelope is stored, or refused for good. */
  receive(from: DeviceAddress, envelope: Uint8Array): Promise<void> {
    return this.#inbox.receive(from, envelope);
  }

  /** Something may be due to this user, or can be sent now. */
  due(userId: UserId): void {
    this.#courier.kick(userId);
  }

  /** The directory has news of this user. @param appeared devices that can be reached now and could not before */
  directoryChanged(userId: UserId, appeared: readonly DeviceAddress[]): void {
    for (const device of appeared) this.#courier.reappeared(device);
    this.#courier.kick(userId);
    this.#clerk.settle(userId);
  }

  /** Takes nothing up any more. */
  stopSending(): void {
    this.#courier.stop();
  }

  /** Everything that has come and gone is written down when this resolves. */
  async finish(): Promise<void> {
    await this.#inbox.idle();
    await this.#parts.surroundings.background.settled();
    await this.#clerk.flush();
    await this.#seen.flush();
  }
}
