/** One side of a conversation, from outbox to inbox, on a real database, with the network left to the test. */
import { Background } from "../../main/core/background.ts";
import type { Buddy } from "../../main/core/buddy-list.ts";
import { DEFAULT_TIMES, type Surroundings } from "../../main/core/client-options.ts";
import { NetworkClock } from "../../main/core/clock.ts";
import { Consignments } from "../../main/core/consignments.ts";
import { Conversations } from "../../main/core/conversations.ts";
import { Courier } from "../../main/core/courier.ts";
import type { Device } from "../../main/core/directory-view.ts";
import { Inbox } from "../../main/core/inbox.ts";
import { silentLog } from "../../main/core/log.ts";
import { Outbox } from "../../main/core/outbox.ts";
import { newMessageId } from "../../main/core/randomness.ts";
import { Receipts } from "../../main/core/receipts.ts";
import { SeenEnvelopes } from "../../main/core/seen-envelopes.ts";
import type { SupernodeLink } from "../../main/core/supernode-link.ts";
import { VoiceMessages } from "../../main/core/voice-messages.ts";
import { toHex } from "../../protocol/bytes.ts";
import { type DeviceAddress, InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { type ManualClock, random, type TestAccount } from "./test-account.ts";
import { type TestProfile, testProfile } from "./test-profile.ts";

/** What becomes of an envelope; `delivered` is what the supernode answers. */
export type Carry = (from: DeviceAddress, envelope: Uint8Array) => Promise<{ delivered: boolean }>;

export class MessageSide {
  readonly account: TestAccount;
  readonly shown: LineView[] = [];
  readonly background = new Background(silentLog);
  readonly inbox: Inbox;
  readonly courier: Courier;
  readonly conversations: Conversations;
  readonly outbox: Outbox;
  readonly voices: VoiceMessages;
  readonly #profile: TestProfile;
  readonly #clock: ManualClock;
  readonly #peer: TestAccount;
  readonly #carry: Carry;
  #crashed = false;

  constructor(account: TestAccount, peer: TestAccount, clock: ManualClock, carry: Carry, profile = testProfile()) {
    this.account = account;
    this.#profile = profile;
    this.#peer = peer;
    this.#clock = clock;
    this.#carry = carry;
    const { db } = profile;
    const surroundings: Surroundings = {
      clock: new NetworkClock(clock),
      random,
      fetch,
      keyStretching: "memory-constrained",
      times: DEFAULT_TIMES,
      log: silentLog,
      background: this.background,
    };
    this.conversations = new Conversations(db);
    this.outbox = new Outbox(db);
    this.voices = new VoiceMessages(db);
    const receipts = new Receipts(db);
    const shared = { db, self: account.address, envelopes: account.envelopes, conversations: this.conversations };
    const stores = { outbox: this.outbox, receipts, voices: this.voices };
    const buddy = { state: "buddy", keyChanged: false } as Buddy;
    const show = (line: LineView) => this.shown.push(line);
    const consignments = new Consignments({
      ...shared,
      ...stores,
      keys: account.keys,
      buddies: { get: () => buddy },
      surroundings,
      show,
    });
    const device = { deviceId: peer.address.deviceId, home: HOME, inbox: INBOX, state: "online" } as Device;
    this.courier = new Courier(
      consignments,
      { device: () => device, reachable: () => [device], isReachable: () => true },
      {
        home: {} as SupernodeLink,
        request: (async (_name: string, input: { envelope: Uint8Array }) =>
          this.#crashed
            ? { delivered: false }
            : this.#carry(account.address, input.envelope)) as SupernodeLink["request"],
      },
      surroundings,
    );
    this.inbox = new Inbox({
      ...shared,
      ...stores,
      buddies: { isPending: () => false, decided: async () => {}, setProfileKey: async () => true },
      seen: new SeenEnvelopes(db, clock, this.background),
      clock,
      log: silentLog,
      listener: {
        show,
        owing: () => this.courier.kick(peer.address.userId),
        arrived: (from, messageIds) => {
          for (const messageId of messageIds) this.courier.settled(from, messageId);
          this.courier.kick(from.userId);
        },
        callSignal: () => {},
        statusReadable: () => {},
      },
    });
  }

  async say(text: string): Promise<void> {
    await this.#add({ kind: "text", text });
  }

  async speak(ogg: Uint8Array): Promise<void> {
    await this.#add({ kind: "voice", durationMs: 1_000 }, ogg);
  }

  /** What the conversation holds of one side, in its order. */
  async texts(mine: boolean): Promise<string[]> {
    const { lines } = await this.conversations.page(this.#peer.address.userId, null, 200);
    return lines.flatMap((line) => (line.mine !== mine ? [] : [line.kind === "text" ? line.text : line.kind]));
  }

  /** As after kill -9: whatever was only in memory is gone, what was under way is not answered. */
  async crashed(): Promise<MessageSide> {
    this.#crashed = true;
    this.courier.stop();
    await this.background.settled();
    await this.inbox.idle();
    return new MessageSide(this.account, this.#peer, this.#clock, this.#carry, await this.#profile.reopened());
  }

  remove(): Promise<void> {
    this.courier.stop();
    return this.#profile.remove();
  }

  async #add(content: { kind: "text"; text: string } | { kind: "voice"; durationMs: number }, ogg?: Uint8Array) {
    const { userId } = this.#peer.address;
    const messageId = newMessageId(random);
    const now = this.#clock.now();
    await this.#profile.db.transaction().execute(async (tx) => {
      const sequence = await this.conversations.nextSequence(tx, userId, now);
      const message = { peer: userId, mine: true, messageId, deviceId: null, sentAt: now, sequence, content };
      await this.conversations.addMessage(tx, message);
      if (ogg) await this.voices.store(tx, messageId, ogg);
      await this.outbox.add(tx, messageId, userId, now);
    });
    this.courier.kick(userId);
  }
}

const HOME = SupernodeId.parse(toHex(random(20)));
const INBOX = InboxId.parse(toHex(random(16)));
