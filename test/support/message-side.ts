/** One side of a conversation, from outbox to inbox, on a real database, with the network left to the test. */

import type { Buddy } from "../../main/buddies/buddy-list.ts";
import { Background } from "../../main/core/background.ts";
import { DEFAULT_TIMES, type Surroundings } from "../../main/core/client-options.ts";
import { NetworkClock } from "../../main/core/clock.ts";
import { silentLog } from "../../main/core/log.ts";
import { Routes } from "../../main/core/proxy.ts";
import type { Device } from "../../main/directory/directory-view.ts";
import type { SupernodeLink } from "../../main/directory/supernode-link.ts";
import { MailRoom } from "../../main/messages/mail-room.ts";
import { Messages } from "../../main/messages/messages.ts";
import { toHex } from "../../protocol/bytes.ts";
import type { CallSignal } from "../../protocol/call-signal.ts";
import { type DeviceAddress, InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { type ManualClock, random, type TestAccount } from "./test-account.ts";
import { type TestProfile, testProfile } from "./test-profile.ts";

/** What becomes of an envelope; `delivered` is what the supernode answers. */
export type Carry = (from: DeviceAddress, envelope: Uint8Array) => Promise<{ delivered: boolean }>;

export class MessageSide {
  readonly account: TestAccount;
  readonly profile: TestProfile;
  readonly mail: MailRoom;
  readonly messages: Messages;
  readonly shown: LineView[] = [];
  readonly callSignals: CallSignal[] = [];
  /** Set while the peer has asked to be a buddy: resolves once that is answered. */
  acceptance: Promise<void> | null = null;
  readonly #background = new Background(silentLog);
  readonly #clock: ManualClock;
  readonly #peer: TestAccount;
  readonly #carry: Carry;
  #crashed = false;

  constructor(account: TestAccount, peer: TestAccount, clock: ManualClock, carry: Carry, profile = testProfile()) {
    this.account = account;
    this.profile = profile;
    this.#peer = peer;
    this.#clock = clock;
    this.#carry = carry;
    const surroundings: Surroundings = {
      clock: new NetworkClock(clock),
      random,
      fetch,
      routes: new Routes(),
      keyStretching: "memory-constrained",
      times: DEFAULT_TIMES,
      log: silentLog,
      background: this.#background,
    };
    const buddy = { state: "buddy", keyChanged: false } as Buddy;
    const device = { deviceId: peer.address.deviceId, home: HOME, inbox: INBOX, state: "online" } as Device;
    const ofPeer = (userId: string) => (userId === peer.address.userId ? [device] : []);
    const directory = {
      device: () => device,
      devices: ofPeer,
      reachable: ofPeer,
      isReachable: () => true,
      knows: () => true,
    };
    const show = (line: LineView) => {
      this.shown.push(line);
    };
    const send = async (_name: string, { envelope }: { envelope: Uint8Array }) =>
      this.#crashed ? { delivered: false } : this.#carry(account.address, envelope);
    this.mail = new MailRoom({
      db: profile.db,
      self: account.address,
      keys: account.keys,
      buddies: {
        trusted: () => buddy,
        isPending: () => this.acceptance !== null,
        decided: async () => this.acceptance ?? undefined,
        setProfileKey: async () => true,
      },
      envelopes: account.envelopes,
      directory,
      attachment: { home: {} as SupernodeLink, request: send as SupernodeLink["request"] },
      surroundings,
      isHidden: () => false,
      listener: {
        show,
        callSignal: (_from, signal) => this.callSignals.push(signal),
        statusReadable: () => {},
      },
    });
    this.messages = new Messages({
      db: profile.db,
      self: account.address.userId,
      mail: this.mail,
      buddies: { require: () => buddy },
      directory,
      surroundings,
      show,
    });
  }

  async say(text: string): Promise<void> {
    await this.messages.sendText(this.#peer.address.userId, text);
  }

  async speak(ogg: Uint8Array): Promise<void> {
    await this.messages.sendVoice(this.#peer.address.userId, ogg, 1_000);
  }

  async lines(): Promise<LineView[]> {
    return (await this.mail.conversations.page(this.#peer.address.userId, null, 200)).lines;
  }

  /** What the conversation holds of one side, in its order. */
  async texts(mine: boolean): Promise<string[]> {
    const lines = await this.lines();
    return lines.flatMap((line) => (line.mine !== mine ? [] : [line.kind === "text" ? line.text : line.kind]));
  }

  /** The peer's device is there again. */
  reappeared(): void {
    this.mail.directoryChanged(this.#peer.address.userId, [this.#peer.address]);
  }

  /** Resolves once nothing moves any more without time passing. */
  quiet(): Promise<void> {
    return this.#background.settled();
  }

  /** As after kill -9: whatever was only in memory is gone, what was under way is not answered. */
  async crashed(): Promise<MessageSide> {
    this.#crashed = true;
    this.mail.stopSending();
    await this.quiet();
    return new MessageSide(this.account, this.#peer, this.#clock, this.#carry, await this.profile.reopened());
  }

  async remove(): Promise<void> {
    this.mail.stopSending();
    await this.mail.finish();
    await this.profile.remove();
  }
}

const HOME = SupernodeId.parse(toHex(random(20)));
const INBOX = InboxId.parse(toHex(random(16)));
