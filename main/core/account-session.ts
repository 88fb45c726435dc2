/** Composition root of one signed-in account: builds its parts, connects them, starts and stops them. */
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, NetworkId, UserId } from "../../protocol/identifiers.ts";
import type { LineView, Notice, SessionView } from "../../protocol/ipc-schema.ts";
import { newestFingerprint } from "../../protocol/network-key-chain.ts";
import { type KeyNews, NetworkTrust } from "../../protocol/network-trust.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import { appSignatures } from "../account/account-keys.ts";
import type { Account, AccountStore } from "../account/account-store.ts";
import { LoginSync } from "../account/login-sync.ts";
import { BuddiesView } from "../buddies/buddies-view.ts";
import { BuddyList } from "../buddies/buddy-list.ts";
import { KeyAlerts } from "../buddies/key-alerts.ts";
import { KeyChains } from "../buddies/key-chains.ts";
import { KeyLogReader } from "../buddies/key-log-reader.ts";
import { KeyWatch } from "../buddies/key-watch.ts";
import { CallRelays } from "../calls/call-relays.ts";
import { CallSession } from "../calls/call-session.ts";
import { SignalSender } from "../calls/signal-sender.ts";
import { Attachment } from "../directory/attachment.ts";
import { DirectoryView } from "../directory/directory-view.ts";
import { HomeCheck } from "../directory/home-check.ts";
import { HostCache } from "../directory/host-cache.ts";
import { OwnProfile } from "../directory/own-profile.ts";
import type { OwnStatus } from "../directory/own-status.ts";
import { type PeoplePage, searchPeople } from "../directory/people-search.ts";
import { Pulse } from "../directory/pulse.ts";
import { Registration } from "../directory/registration.ts";
import { SupernodeListKeeper } from "../directory/supernode-list.ts";
import { Watch } from "../directory/watch.ts";
import { Envelopes, type PublicKeys } from "../messages/envelopes.ts";
import { MailRoom } from "../messages/mail-room.ts";
import { Messages } from "../messages/messages.ts";
import type { Db } from "../storage/database-schema.ts";
import type { SupernodeSponsor } from "../supernode/supernode-run.ts";
import type { Surroundings } from "./client-options.ts";
import type { PushListener } from "./pushes.ts";
import { uniform } from "./randomness.ts";
import type { SettingsKeeper } from "./settings.ts";

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
  readonly mail: MailRoom;
  readonly messages: Messages;
  readonly profile: OwnProfile;
  readonly registration: Registration;
  readonly sync: LoginSync;
  readonly self: DeviceAddress;
  readonly alerts: KeyAlerts;
  readonly #keyWatch: KeyWatch;
  readonly #parts: AccountSessionParts;
  readonly #trust: NetworkTrust;
  readonly #anchor: TrustAnchor;
  readonly #hosts: HostCache;
  readonly #supernodes: SupernodeListKeeper;
  readonly #directory: DirectoryView;
  readonly #attachment: Attachment;
  readonly #signals: SignalSender;
  readonly #watch: Watch;
  readonly #homeCheck: HomeCheck;

  constructor(parts: AccountSessionParts) {
    this.#parts = parts;
    const { db, store, account, settings, surroundings, push } = parts;
    const { clock, random, log, background } = surroundings;
    const { keys, deviceId, network } = account;
    this.self = { userId: keys.userId, deviceId };
    this.#trust = new NetworkTrust(network.keys, () => clock.now());
    this.#trust.onNews((news) => this.#keysHeard(news));
    this.#anchor = this.#trust.anchor;

    this.buddies = new BuddyList(db, this.#anchor, clock, log);
    this.#hosts = new HostCache(db, () => uniform(random));
    this.#supernodes = new SupernodeListKeeper(db, this.#anchor, this.#hosts, surroundings);
    this.#directory = new DirectoryView(network.networkId, deviceId, clock, log, (userId, appeared) =>
      this.#directoryChanged(userId, appeared),
    );
    const envelopes = new Envelopes(this.self, keys, (userId) => this.#publicKeysOf(userId), clock, random);

    this.#attachment = new Attachment(
      { anchor: this.#anchor, signSecret: keys.sign.secretKey, certificate: () => this.sync.certificate },
      this.#hosts,
      surroundings,
      {
        atHome: (link) => {
          const registered = this.registration.moveTo(link);
          background.run("registration", registered);
          background.run("profile", this.profile.moveTo(link));
          this.#watch.renew();
          this.#tellSession();
          return registered;
        },
        homeless: () => {
          this.registration.homeless();
          this.profile.homeless();
          this.#tellSession();
          this.buddiesView.changed();
        },
        deliver: async (from, envelope) => {
          if (!this.#homeCheck.takesProbe(from, envelope)) await this.mail.receive(from, envelope);
        },
        presence: (presence) => {
          if (this.#watched().includes(presence.userId)) this.#directory.apply(presence);
        },
        keyLogHead: (head) => this.#keyWatch.headSeen(head),
        troubled: () => this.#tellSession(),
        linksChanged: () => {
          this.#homeCheck.linksChanged();
          this.calls.relaysChanged();
          // A call has use for a second relay now.
          if (this.calls.isLive) this.#attachment.hurry();
        },
      },
    );
    this.registration = new Registration(
      { networkId: network.networkId, deviceId, keys, signatures: appSignatures },
      { status: account.status, text: account.statusText, hiddenSince: account.hiddenSince },
      store,
      surroundings,
    );
    this.profile = new OwnProfile({
      db,
      account,
      anchor: this.#anchor,
      certificate: () => this.sync.certificate,
      surroundings,
      changed: () => this.#tellSession(),
    });
    this.#watch = new Watch(this.#attachment, this.#directory, () => this.#watched(), surroundings);
    this.#homeCheck = new HomeCheck({
      networkId: network.networkId,
      self: this.self,
      attachment: this.#attachment,
      hosts: this.#hosts,
      directory: this.#directory,
      watched: () => this.#watched(),
      isHidden: () => this.registration.own.hiddenSince !== null,
      surroundings,
    });
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
        supernodesChanged: () => this.#attachment.listChanged((supernodeId) => this.#hosts.has(supernodeId)),
        opened: () => this.#keyWatch.sessionOpened(),
        signedOut: () => parts.signedOut(),
      },
    });
    this.alerts = new KeyAlerts(db, () => this.#tellSession());
    const chains = new KeyChains(db);
    this.#keyWatch = new KeyWatch({
      self: { handle: account.handle, userId: this.self.userId },
      anchor: this.#anchor,
      chains,
      reader: new KeyLogReader({ chains, anchor: this.#anchor, clock, request: this.sync.session.request }),
      alerts: this.alerts,
      buddies: () => this.buddies.all(),
      surroundings,
    });

    this.#signals = new SignalSender(envelopes, this.#directory, this.#attachment, surroundings);
    this.calls = new CallSession({
      directory: this.#directory,
      signals: this.#signals,
      relays: new CallRelays(() => this.#attachment.links, surroundings),
      pulse: new Pulse(() => this.#attachment.links, clock),
      relayOnly: () => settings.value.hideAddress,
      surroundings,
      push,
      record: (entry) =>
        background.run(
          "call record",
          this.mail.conversations.addCall(entry).then((line) => line && this.#show(line)),
        ),
    });
    this.mail = new MailRoom({
      db,
      self: this.self,
      keys,
      buddies: this.buddies,
      envelopes,
      directory: this.#directory,
      attachment: this.#attachment,
      surroundings,
      isHidden: () => this.registration.own.hiddenSince !== null,
      listener: {
        show: (line) => this.#show(line),
        callSignal: (from, signal, sentAt) => this.calls.receive(from, signal, sentAt),
        statusReadable: () => this.buddiesView.changed(),
      },
    });
    this.messages = new Messages({
      db,
      self: this.self.userId,
      mail: this.mail,
      buddies: this.buddies,
      directory: this.#directory,
      surroundings,
      show: (line) => this.#show(line),
    });
    this.buddiesView = new BuddiesView({
      buddies: this.buddies,
      directory: this.#directory,
      conversations: this.mail.conversations,
      attached: () => this.#attachment.home !== null,
      secrets: keys,
      clock,
      push,
    });
  }

  /** Everything known from before is there when this resolves; connecting goes on in the background. */
  async start(): Promise<void> {
    await this.buddies.load();
    await this.alerts.load();
    await this.profile.load();
    await this.#hosts.load();
    await this.#supernodes.load();
    await this.mail.load();
    await this.buddiesView.load();
    this.sync.session.start();
    this.sync.renewal.start();
    this.#attachment.start();
  }

  /** A normal exit: ends the call, looks offline at once. */
  async stop(): Promise<void> {
    this.calls.hangUp();
    await this.#signals.drained(EXIT_PATIENCE_MS);
    this.#signals.stop();
    this.mail.stopSending();
    this.#watch.stop();
    this.#homeCheck.stop();
    this.profile.homeless();
    await this.registration.signOff(EXIT_PATIENCE_MS);
    this.#attachment.stop();
    this.sync.renewal.stop();
    this.sync.session.stop();
    await this.#keyWatch.stop();
    this.buddiesView.stop();
    await this.mail.finish();
  }

  /** As it is now. */
  get account(): Account {
    const { account } = this.#parts;
    return { ...account, network: { ...account.network, keys: this.#trust.chain } };
  }

  /** Whether no key of the network is believed, or the login server has another one. */
  get asksForNetworkKey(): boolean {
    return this.#trust.chain.unconfirmed !== null || /^network-key-/.test(this.sync.session.trouble?.code ?? "");
  }

  /** The user has got the word of whoever runs the network. */
  confirmNetworkKey(fingerprint: NetworkId): void {
    this.#trust.confirm(fingerprint);
    this.sync.session.lookAgain();
  }

  /** On whose behalf this computer may be a supernode. */
  get supernodeSponsor(): SupernodeSponsor {
    const { session } = this.sync;
    return {
      loginServer: this.#parts.account.loginServer,
      networkKey: newestFingerprint(this.#trust.chain),
      account: `${this.#parts.account.network.networkId} ${this.self.userId}`,
      get isOpen() {
        return session.open;
      },
      request: session.request,
    };
  }

  get attached(): boolean {
    return this.#attachment.home !== null;
  }

  /** One page of the people that a text finds. Errors as people-search.ts. */
  searchPeople(text: string, cursor: string | null): Promise<PeoplePage> {
    const { log } = this.#parts.surroundings;
    const request = this.#attachment.request;
    return searchPeople({ request, anchor: this.#anchor, self: this.self.userId, log }, text, cursor);
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
      findable: this.profile.view,
      alerts: [...this.alerts.open],
      notices: this.#notices(),
    };
  }

  async #buddiesChanged(userIds: readonly UserId[]): Promise<void> {
    for (const userId of userIds) {
      if (this.buddies.get(userId)?.state === "removed") await this.mail.outbox.drop(userId);
      await this.buddiesView.lineChanged(userId);
      this.mail.due(userId);
    }
    this.#watch.renew();
    this.#keyWatch.buddiesChanged();
  }

  #show(line: LineView): void {
    this.#parts.push("line", line);
    this.#parts.surroundings.background.run("buddy list", this.buddiesView.lineChanged(line.peer));
  }

  /** Nothing is taken from anybody else. */
  #publicKeysOf(userId: UserId): PublicKeys | null {
    const { keys } = this.#parts.account;
    if (userId === this.self.userId) return { signKey: keys.sign.publicKey, boxKey: keys.box.publicKey };
    return this.buddies.trusted(userId);
  }

  #watched(): UserId[] {
    const buddies = this.buddies.all().map(({ userId }) => userId);
    return [this.self.userId, ...buddies.filter((userId) => this.buddies.trusted(userId))];
  }

  #directoryChanged(userId: UserId, appeared: readonly DeviceAddress[]): void {
    this.mail.directoryChanged(userId, appeared);
    this.calls.peerChanged(userId);
    this.buddiesView.changed();
  }

  #notices(): Notice[] {
    const unconfirmed = this.#trust.chain.unconfirmed ? new KithError("network-key-unconfirmed") : null;
    const troubles = unconfirmed ? [unconfirmed] : [this.sync.session.trouble, this.#attachment.trouble];
    return troubles.flatMap((trouble) => (trouble ? [{ code: trouble.code, message: trouble.message }] : []));
  }

  #keysHeard(news: KeyNews): void {
    const { surroundings, store } = this.#parts;
    const kept =
      news === "forked" ? this.alerts.raise("network-key-forked", {}) : store.keepNetworkKeys(this.#trust.chain);
    surroundings.background.run("network keys", kept);
    this.#tellSession();
  }

  #tellSession(): void {
    this.#parts.push("session", this.view);
  }
}

/** How long an exit waits for others to be told: the peer of a call, the home supernode. */
const EXIT_PATIENCE_MS = 1_000;
