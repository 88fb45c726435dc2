/** Whether somebody is signed in on this profile, and the ways from one to the other. */
import { KithError } from "../../protocol/errors.ts";
import { type NetworkId, parseHandle } from "../../protocol/identifiers.ts";
import { type Invitation, parseConfirmation, parseInvitation } from "../../protocol/invitation.ts";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import type { Account, AccountStore } from "../account/account-store.ts";
import { parseLoginServer } from "../account/login-http.ts";
import { type Credentials, type Enrolled, signIn, signUp } from "../account/opaque-login.ts";
import { recoverAccount } from "../account/password-change.ts";
import { CrowdPatience } from "../account/retry-after.ts";
import type { Db } from "../storage/database-schema.ts";
import { AccountSession } from "./account-session.ts";
import { Background } from "./background.ts";
import type { Surroundings } from "./client-options.ts";
import type { PushListener } from "./pushes.ts";
import { newDeviceId } from "./randomness.ts";
import type { SettingsKeeper } from "./settings.ts";

/** What a person typed into the form. */
export interface SignInForm {
  readonly loginServer: string;
  readonly handle: string;
  readonly password: string;
}

export interface SignUpForm extends SignInForm {
  /** A link as it was pasted; empty for none. With one, the link says which login server it is. */
  readonly invitation: string;
}

type State =
  | { readonly phase: "signed-out"; readonly view: SessionView }
  | { readonly phase: "signing-in"; readonly view: SessionView }
  | { readonly phase: "signed-in"; readonly session: AccountSession }
  | { readonly phase: "signing-out"; readonly session: AccountSession };

const STARTING: SessionView = { phase: "starting" };

interface Parts {
  readonly db: Db;
  readonly store: AccountStore;
  readonly settings: SettingsKeeper;
  readonly surroundings: Surroundings;
  readonly push: PushListener;
  readonly deviceName: string;
  readonly defaultLoginServer: string;
}

export class SessionKeeper {
  readonly #parts: Parts;
  readonly #patience: CrowdPatience;
  #state: State = { phase: "signed-out", view: STARTING };
  /** The latest end of a session that came from outside. */
  #leaving: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#patience = new CrowdPatience(parts.surroundings, (ms) => this.#waiting(ms));
  }

  /** Whoever was signed in when the profile was closed is signed in again, without a password. */
  async restore(): Promise<void> {
    const account = await this.#parts.store.load();
    if (account) await this.#begin(account);
    else await this.#stayOut(null);
  }

  get view(): SessionView {
    return "session" in this.#state ? this.#state.session.view : this.#state.view;
  }

  get session(): AccountSession | null {
    return this.#state.phase === "signed-in" ? this.#state.session : null;
  }

  /** @throws KithError `not-authenticated` */
  get required(): AccountSession {
    if (this.#state.phase !== "signed-in") throw new KithError("not-authenticated");
    return this.#state.session;
  }

  /** Errors as opaque-login.ts, parseInvitation, parseLoginServer and parseHandle. */
  async signUp(form: SignUpForm): Promise<void> {
    const invitation = form.invitation.trim() === "" ? null : parseInvitation(form.invitation);
    const loginServer = invitation?.loginServer ?? form.loginServer;
    await this.#enter({ ...form, loginServer }, invitation, signUp);
  }

  /**
   * An invitation link that the system has handed to the app: it is put into the form, and the user decides.
   * @returns the key that the link wants confirmed, where this device waits for that: the user decides here too
   * @throws KithError `invitation-malformed`, `already-signed-in`, `network-key-known`
   */
  offer(link: string): NetworkId | null {
    const { session } = this;
    const confirmation = parseConfirmation(link);
    if (session && confirmation?.networkId === session.account.network.networkId) {
      // Any web page can have made the link: a device that has a key lets nobody talk it into another one.
      if (!session.asksForNetworkKey) throw new KithError("network-key-known");
      return confirmation.networkKey;
    }
    const { loginServer } = parseInvitation(link);
    const { view } = this;
    if (this.#state.phase !== "signed-out" || view.phase !== "signed-out") throw new KithError("already-signed-in");
    this.#state = { phase: "signed-out", view: { ...view, loginServer, invitation: link.trim() } };
    this.#parts.push("session", this.#state.view);
    return null;
  }

  /** Errors as opaque-login.ts, parseLoginServer and parseHandle. */
  async signIn(form: SignInForm): Promise<void> {
    await this.#enter(form, null, signIn);
  }

  /** Whoever waits for a crowded login server does so no longer. */
  cancelSignIn(): void {
    this.#patience.cancel();
  }

  /**
   * Removes the account from this profile. The login server is told first, if it can be reached:
   * otherwise the device stays on its list until it is signed out from another one.
   */
  async signOut(): Promise<void> {
    const { required: session } = this;
    const { deviceId } = session.self;
    this.#state = { phase: "signing-out", session };
    try {
      await session.sync.session.request("signOutDevice", { deviceId });
    } catch (error) {
      this.#parts.surroundings.log.warn("sign-out not told", { code: KithError.from(error).code });
    }
    await this.#leave(session);
  }

  /** Ends the account for good: once the login server has deleted it, nothing of it stays on this profile either. */
  async deleteAccount(deleteAtServer: (account: Account) => Promise<void>): Promise<void> {
    const { required: session } = this;
    // From here on the server's word that this device is signed out changes nothing.
    this.#state = { phase: "signing-out", session };
    try {
      await deleteAtServer(session.account);
    } catch (error) {
      this.#state = { phase: "signed-in", session };
      throw error;
    }
    await this.#leave(session);
  }

  /** Sets another password by the recovery key and signs in with it. Errors as password-change.ts and signIn. */
  async recover(form: SignInForm & { readonly recoveryKey: string }): Promise<void> {
    if (this.#state.phase !== "signed-out") throw new KithError("already-signed-in");
    const { store, surroundings } = this.#parts;
    const loginServer = parseLoginServer(form.loginServer);
    const pinnedNetwork = await store.pinnedNetwork(loginServer);
    const account = { loginServer, handle: parseHandle(form.handle), pinnedNetwork };
    await this.#patience.insist(() => recoverAccount(account, form, surroundings));
    await this.signIn(form);
  }

  async #leave(session: AccountSession): Promise<void> {
    await session.stop();
    await this.#parts.store.erase();
    await this.#stayOut(null);
  }

  async close(): Promise<void> {
    this.cancelSignIn();
    await this.session?.stop();
    await this.#leaving;
  }

  async #enter(
    form: SignInForm,
    invitation: Invitation | null,
    enrol: (credentials: Credentials, surroundings: Surroundings) => Promise<Enrolled>,
  ): Promise<void> {
    const before = this.#state;
    if (before.phase !== "signed-out") throw new KithError("already-signed-in");
    const { store, surroundings, deviceName } = this.#parts;
    const loginServer = parseLoginServer(form.loginServer);
    const handle = parseHandle(form.handle);
    this.#state = { ...before, phase: "signing-in" };
    try {
      const deviceId = newDeviceId(surroundings.random);
      const pinnedNetwork = await store.pinnedNetwork(loginServer);
      const { password } = form;
      const credentials = { loginServer, handle, password, deviceId, deviceName, pinnedNetwork, invitation };
      const { network, keys, certificate } = await this.#patience.insist(() => enrol(credentials, surroundings));
      const account: Account = {
        loginServer,
        network,
        handle,
        deviceId,
        keys,
        certificate: certificate.bytes,
        status: "online",
        statusText: "",
        hiddenSince: null,
      };
      await store.save(account);
      await this.#begin(account);
    } catch (error) {
      this.#state = before;
      throw error;
    }
  }

  async #begin(account: Account): Promise<void> {
    const { db, store, settings, push } = this.#parts;
    // What a session has begun, its end waits for.
    const surroundings = { ...this.#parts.surroundings, background: new Background(this.#parts.surroundings.log) };
    const session = new AccountSession({
      db,
      store,
      account,
      settings,
      surroundings,
      push,
      signedOut: () => {
        this.#leaving = this.#signedOutElsewhere(session);
      },
    });
    await session.start();
    this.#state = { phase: "signed-in", session };
    push("session", session.view);
    push("buddies", session.buddiesView.view());
  }

  /** The keys go; messages stay, and so does what waits to be sent. */
  async #signedOutElsewhere(session: AccountSession): Promise<void> {
    if (this.session !== session) return;
    this.#state = { phase: "signing-out", session };
    try {
      await session.stop();
      await this.#parts.store.forgetKeys();
      await this.#stayOut(new KithError("signed-out-elsewhere"));
    } catch (error) {
      this.#parts.surroundings.log.error("sign-out", { cause: error });
    }
  }

  #waiting(nextTryInMs: number | null): void {
    if (!("view" in this.#state) || this.#state.view.phase !== "signed-out") return;
    this.#state = { ...this.#state, view: { ...this.#state.view, nextTryInMs } };
    this.#parts.push("session", this.#state.view);
  }

  async #stayOut(reason: KithError | null): Promise<void> {
    const { store, defaultLoginServer, push } = this.#parts;
    const { loginServer, handle } = await store.proposal(defaultLoginServer);
    const notice = reason && { code: reason.code, message: reason.message };
    const view: SessionView = { phase: "signed-out", loginServer, handle, invitation: "", notice, nextTryInMs: null };
    this.#state = { phase: "signed-out", view };
    push("session", view);
    push("buddies", []);
  }
}
