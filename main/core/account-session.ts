/** Composition root of one signed-in account: builds its parts, connects them, starts and stops them. */
import type { DeviceAddress, UserId } from "../../protocol/identifiers.ts";
import type { LineView, Notice, SessionView } from "../../protocol/ipc-schema.ts";
import { type TrustAnchor, trustAnchor } from "../../protocol/trust.ts";
import type { Account, AccountStore } from "./account-store.ts";
import { Attachment } from "./attachment.ts";
import { BuddiesView } from "./buddies-view.ts";
import { BuddyList } from "./buddy-list.ts";
import { CallRelays } from "./call-relays.ts";
import { CallSession } from "./call-session.ts";
import type { Surroundings } from "./client-options.ts";
import { Consignments } from "./consignments.ts";
import { Conversations } from "./conversations.ts";
import { Courier } from "./courier.ts";
import type { Db } from "./database-schema.ts";
import { DirectoryView } from "./directory-view.ts";
import { Envelopes, type PublicKeys } from "./envelopes.ts";
import { HostCache } from "./host-cache.ts";
import { Inbox } from "./inbox.ts";
import { LoginSync } from "./login-sync.ts";
import { Outbox } from "./outbox.ts";
import type { PushListener } from "./pushes.ts";
import { uniform } from "./randomness.ts";
import { Receipts } from "./receipts.ts";
import { type OwnStatus, Registration } from "./registration.ts";
import { SeenEnvelopes } from "./seen-envelopes.ts";
import type { SettingsKeeper } from "./settings.ts";
import { SignalSender } from "./signal-sender.ts";
import { SupernodeListKeeper } from "./supernode-list.ts";
import { VoiceMessages } from "./voice-messages.ts";
import { Watch } from "./watch.ts";

export interface AccountSessionParts {
  readonly db: Db;
  readonly store: AccountStore;
  readonly account: Account;
  readonly settings: SettingsKeeper;
  readonly surroundings: Surroundings;
  readonly push: PushListener;
  /** The login server has signed this device out. */
  readonly signedOut: () => void;
}

export class AccountSession {
  readonly buddies: BuddyList;
  readonly buddiesView: BuddiesView;
  readonly calls: CallSession;
  readonly conversations: Conversations;
  readonly courier: Courier;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly registration: Registration;
  readonly sync: LoginSync;
  readonly voices: VoiceMessages;
  readonly self: DeviceAddress;
  readonly #parts: AccountSessionParts;
  readonly #anchor: TrustAnchor;
  readonly #hosts: HostCache;
  readonly #supernodes: SupernodeListKeeper;
  readonly #directory: DirectoryView;
  readonly #attachment: Attachment;
  readonly #seen: SeenEnvelopes;
  readonly #inbox: Inbox;
  readonly #signals: SignalSender;
  readonly #watch: Watch;

  constructor(parts: AccountSessionParts) {
    this.#parts = parts;
    const { db, store, account, settings, surroundings, push } = parts;
    const { clock, random, log, background } = surroundings;
    const { keys, deviceId, network } = account;
    this.self = { userId: keys.userId, deviceId };
    this.#anchor = trustAnchor(network.networkKey, () => clock.now());

    this.buddies = new BuddyList(db, this.#anchor, clock, log);
    this.conversations = new Conversations(db);
    this.outbox = new Outbox(db);
    this.receipts = new Receipts(db);
    this.voices = new VoiceMessages(db);
    this.#seen = new SeenEnvelopes(db, clock, background);
    this.#hosts = new HostCache(db, () => uniform(random));
    this.#supernodes = new SupernodeListKeeper(db, this.#anchor, this.#hosts, surroundings);
    this.#directory = new DirectoryView(network.networkId, clock, log, (userId, appeared) =>
      this.#directoryChanged(userId, appeared),
    );
    const envelopes = new Envelopes(this.self, keys, (userId) => this.#publicKeysOf(userId), clock, random);

    this.#attachment = new Attachment(
      { anchor: this.#anchor, signSecret: keys.sign.secretKey, certificate: () => this.sync.certificate },
      this.#hosts,
      surroundings,
      {
        atHome: (link) => {
          background.run("registration", this.registration.moveTo(link));
          this.#watch.renew();
          this.#tellSession();
        },
        homeless: () => {
          this.registration.homeless();
          this.#tellSession();
          this.buddiesView.changed();
        },
        deliver: (from, envelope) => this.#inbox.receive(from, envelope),
        presence: (presence) => this.#directory.apply(presence),
        troubled: () => this.#tellSession(),
        linksChanged: () => this.calls.relaysChanged(),
      },
    );
    this.registration = new Registration(
      { networkId: network.networkId, deviceId, keys },
      { status: account.status, text: account.statusText },
      store,
      surroundings,
    );
    this.#watch = new Watch(this.#attachment, this.#directory, () => this.#watched(), surroundings);
    this.sync = new LoginSync({
      account,
      store,
      anchor: this.#anchor,
      buddies: this.buddies,
      supernodes: this.#supernodes,
      surroundings,
      listener: {
        changed: () => this.#tellSession(),
        buddiesChanged: (userIds) => this.#buddiesChanged(userIds),
        renewed: () => this.#attachment.moreKnown(),
        moreSupernodes: () => this.#attachment.moreKnown(),
        signedOut: () => parts.signedOut(),
      },
    });

    this.#signals = new SignalSender(envelopes, this.#directory, this.#attachment, surroundings);
    this.calls = new CallSession({
      directory: this.#directory,
      signals: this.#signals,
      relays: new CallRelays(() => this.#attachment.links, surroundings),
      relayOnly: () => settings.value.hideAddress,
      surroundings,
      push,
      record: (entry) =>
        background.run(
          "call record",
          this.conversations.addCall(entry).then((line) => this.#show(line)),
        ),
    });
    const consignments = new Consignments({
      db,
      self: this.self,
      keys,
      buddies: this.buddies,
      envelopes,
      outbox: this.outbox,
      receipts: this.receipts,
      conversations: this.conversations,
      voices: this.voices,
      surroundings,
      show: (line) => this.#show(line),
    });
    this.courier = new Courier(consignments, this.#directory, this.#attachment, surroundings);
    this.#inbox = new Inbox({
      db,
      self: this.self,
      buddies: this.buddies,
      envelopes,
      seen: this.#seen,
      conversations: this.conversations,
      voices: this.voices,
      outbox: this.outbox,
      receipts: this.receipts,
      clock,
      log,
      listener: {
        show: (line) => this.#show(line),
        owing: (userId) => this.courier.kick(userId),
        arrived: (device, messageIds) => {
          for (const messageId of messageIds) this.courier.settled(device, messageId);
          this.courier.kick(device.userId);
          background.run("outbox", this.#settle(device.userId));
        },
        callSignal: (from, signal, sentAt) => this.calls.receive(from, signal, sentAt),
        statusReadable: () => this.buddiesView.changed(),
      },
    });
    this.buddiesView = new BuddiesView({
      buddies: this.buddies,
      directory: this.#directory,
      conversations: this.conversations,
      attached: () => this.#attachment.home !== null,
      clock,
      push,
    });
  }

  /** Everything known from before is there when this resolves; connecting goes on in the background. */
  async start(): Promise<void> {
    const { clock } = this.#parts.surroundings;
    await this.buddies.load();
    await this.#hosts.load();
    await this.#supernodes.load();
    await this.#seen.prune();
    await this.receipts.prune(clock.now());
    await this.buddiesView.load();
    this.sync.session.start();
    this.#attachment.start();
  }

  /** A normal exit: ends the call, looks offline at once. */
  async stop(): Promise<void> {
    const { background } = this.#parts.surroundings;
    this.calls.hangUp();
    await this.#signals.drained(EXIT_PATIENCE_MS);
    this.#signals.stop();
    this.courier.stop();
    this.#watch.stop();
    await this.registration.signOff().catch(() => {});
    this.#attachment.stop();
    this.sync.session.stop();
    await this.#inbox.idle();
    this.buddiesView.stop();
    await background.settled();
    await this.#seen.flush();
  }

  get attached(): boolean {
    return this.#attachment.home !== null;
  }

  /** Unless the directory has said otherwise. */
  get mayHaveOtherDevices(): boolean {
    const { userId, deviceId } = this.self;
    const others = this.#directory.devices(userId).filter((device) => device.deviceId !== deviceId);
    return others.length > 0 || !this.#directory.knows(userId);
  }

  async setStatus(own: OwnStatus): Promise<void> {
    await this.registration.setStatus(own);
    this.#tellSession();
  }

  get view(): Extract<SessionView, { phase: "signed-in" }> {
    const { account } = this.#parts;
    const { status, text } = this.registration.own;
    return {
      phase: "signed-in",
      ...this.self,
      handle: account.handle,
      network: account.network.name,
      attached: this.#attachment.home !== null,
      loginServerReachable: this.sync.session.open,
      status,
      statusText: text,
      notices: this.#notices(),
    };
  }

  /** Something in this conversation is new. */
  show(line: LineView): void {
    this.#show(line);
  }

  async #buddiesChanged(userIds: readonly UserId[]): Promise<void> {
    for (const userId of userIds) {
      if (this.buddies.get(userId)?.state === "removed") await this.outbox.drop(userId);
      await this.buddiesView.lineChanged(userId);
      this.courier.kick(userId);
    }
    this.#watch.renew();
  }

  #show(line: LineView | null): void {
    if (!line) return;
    this.#parts.push("line", line);
    this.#parts.surroundings.background.run("buddy list", this.buddiesView.lineChanged(line.peer));
  }

  /** Nothing is taken from anybody else. */
  #publicKeysOf(userId: UserId): PublicKeys | null {
    const { keys } = this.#parts.account;
    if (userId === this.self.userId) return { signKey: keys.sign.publicKey, boxKey: keys.box.publicKey };
    const buddy = this.buddies.get(userId);
    return buddy?.state === "buddy" && !buddy.keyChanged ? buddy : null;
  }

  #watched(): UserId[] {
    const buddies = this.buddies.all().filter(({ state, keyChanged }) => state === "buddy" && !keyChanged);
    return [this.self.userId, ...buddies.map(({ userId }) => userId)];
  }

  #directoryChanged(userId: UserId, appeared: readonly DeviceAddress[]): void {
    for (const device of appeared) this.courier.reappeared(device);
    this.courier.kick(userId);
    this.calls.peerChanged(userId);
    this.buddiesView.changed();
    this.#parts.surroundings.background.run("outbox", this.#settle(userId));
  }

  #settle(userId: UserId): Promise<void> {
    const devices = this.#directory
      .devices(userId)
      .map(({ deviceId }) => deviceId)
      .filter((deviceId) => deviceId !== this.self.deviceId);
    if (!this.#directory.knows(userId)) return Promise.resolve();
    const alone = userId === this.self.userId;
    return this.outbox.settle(userId, devices, alone, this.#parts.surroundings.clock.now());
  }

  #notices(): Notice[] {
    return [this.sync.session.trouble, this.#attachment.trouble].flatMap((trouble) =>
      trouble ? [{ code: trouble.code, message: trouble.message }] : [],
    );
  }

  #tellSession(): void {
    this.#parts.push("session", this.view);
  }
}

/** How long an exit waits for the peer to be told that the call has ended. */
const EXIT_PATIENCE_MS = 1_000;
