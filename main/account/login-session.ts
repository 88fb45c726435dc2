/** The session with the login server: buddy list and its pushes, certificate renewal, news of the supernode list. */
import type { Socket } from "socket.io-client";
import { z } from "zod";
import { backoffMs } from "../../protocol/backoff.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import { type BuddyDelta, HttpError, LOGIN_METHODS, LOGIN_PUSHES } from "../../protocol/login-api.ts";
import { loginSessionStatement } from "../../protocol/login-proof.ts";
import { loginSocketOptions } from "../../protocol/login-socket.ts";
import { type Caller, caller } from "../../protocol/rpc.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import { openChallengedSocket } from "../core/challenged-socket.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import { type AccountKeys, appSignatures } from "./account-keys.ts";
import { LoginHttp } from "./login-http.ts";
import { learn, requireFollowed } from "./network-chain.ts";
import { secondsAskedFor } from "./retry-after.ts";

/** What socket.io makes of a connection that the server turned away. */
const Refused = z.object({ data: HttpError.shape.error });

export interface LoginIdentity {
  readonly loginServer: string;
  readonly anchor: TrustAnchor;
  readonly deviceId: DeviceId;
  readonly keys: AccountKeys;
  certificate(): Uint8Array;
}

export interface LoginListener {
  /**
   * The session is open: time to synchronise. Failing here closes it.
   * @param supernodes revision of the supernode list
   */
  opened(supernodes: number): Promise<void>;
  /** The server answers again, or no longer. */
  changed(): void;
  renewed(certificate: Uint8Array): Promise<void>;
  buddies(delta: BuddyDelta): void;
  /** The supernode list has a new revision. */
  supernodes(revision: number): void;
  signedOut(): void;
}

export class LoginSession {
  readonly #identity: LoginIdentity;
  readonly #surroundings: Surroundings;
  readonly #listener: LoginListener;
  readonly #http: LoginHttp;
  #state: { phase: "stopped" } | { phase: "closed" } | { phase: "open"; socket: Socket } = { phase: "stopped" };
  readonly #abort = new AbortController();
  #attempt = 0;
  #cancelTimer: () => void = () => {};
  #isConnecting = false;
  #trouble: KithError | null = null;

  constructor(identity: LoginIdentity, surroundings: Surroundings, listener: LoginListener) {
    this.#identity = identity;
    this.#surroundings = surroundings;
    this.#listener = listener;
    this.#http = new LoginHttp(identity.loginServer, surroundings.fetch, surroundings.clock, this.#abort.signal);
  }

  /** Once: a session that was stopped is over. */
  start(): void {
    if (this.#state.phase !== "stopped") return;
    this.#state = { phase: "closed" };
    this.#surroundings.background.run("login session", this.#connect());
  }

  stop(): void {
    const before = this.#state;
    this.#state = { phase: "stopped" };
    this.#abort.abort();
    this.#cancelTimer();
    if (before.phase === "open") before.socket.disconnect();
  }

  get open(): boolean {
    return this.#state.phase === "open";
  }

  get #stopped(): boolean {
    return this.#state.phase === "stopped";
  }

  /** Why the latest attempt has failed; null while the session is open. */
  get trouble(): KithError | null {
    return this.open ? null : this.#trouble;
  }

  /** @throws KithError `login-server-unreachable`, or the code that the server answered */
  readonly request: Caller<typeof LOGIN_METHODS> = async (name, input) => {
    if (this.#state.phase !== "open") throw this.#unreachable();
    return caller(this.#state.socket, LOGIN_METHODS)(name, input);
  };

  /** The signed supernode list, not yet checked. */
  supernodeList(): Promise<Uint8Array> {
    return this.#http.supernodes();
  }

  /** Something has changed that may end the trouble: tries again at once. */
  lookAgain(): void {
    this.#attempt = 0;
    if (this.#stopped || this.#isConnecting) return;
    this.#cancelTimer();
    const look = this.open ? this.#requireSameNetwork() : this.#connect();
    this.#surroundings.background.run("login session", look);
  }

  async #connect(): Promise<void> {
    this.#isConnecting = true;
    try {
      await this.#requireSameNetwork();
      await this.#openSession();
      this.#attempt = 0;
      this.#trouble = null;
    } catch (thrown) {
      const error = KithError.from(thrown);
      this.#trouble = error;
      if (error.code === "signed-out-elsewhere") return this.#signedOut();
      this.#surroundings.log.warn("login session", { code: error.code, cause: error.cause });
      this.#retryLater();
    } finally {
      this.#isConnecting = false;
    }
    if (!this.#stopped) this.#listener.changed();
  }

  /** Asked before anything else is sent: another key at the same address is another network, unless it follows from ours. */
  async #requireSameNetwork(): Promise<void> {
    const { networkId, successions } = await this.#http.network();
    const { anchor } = this.#identity;
    if (networkId !== anchor.networkId) throw new KithError("network-changed");
    requireFollowed(anchor.learn(successions));
  }

  async #openSession(): Promise<void> {
    const { socket, challenge } = await this.#connectSocket();
    if (this.#stopped) return void socket.disconnect();
    this.#listen(socket);
    const { anchor, deviceId, keys } = this.#identity;
    const proof = appSignatures.sign(
      loginSessionStatement(anchor.networkId, challenge.nonce, deviceId),
      keys.sign.secretKey,
    );
    try {
      const request = caller(socket, LOGIN_METHODS);
      const { certificate, supernodes } = await request("open", { certificate: this.#identity.certificate(), proof });
      if (certificate.length > 0) await this.#listener.renewed(certificate);
      if (this.#stopped) return void socket.disconnect();
      this.#state = { phase: "open", socket };
      await this.#listener.opened(supernodes);
      if (!socket.connected) throw this.#unreachable();
    } catch (error) {
      if (this.open) this.#state = { phase: "closed" };
      socket.off();
      socket.disconnect();
      throw error;
    }
  }

  async #connectSocket() {
    try {
      const { loginServer } = this.#identity;
      const agent = await this.#surroundings.routes.agentTo(loginServer);
      const patience = {
        clock: this.#surroundings.clock,
        timeoutMs: TIMES.requestTimeoutMs,
        signal: this.#abort.signal,
      };
      return await openChallengedSocket(loginServer, loginSocketOptions(agent), LOGIN_PUSHES.challenge, patience);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal) throw refusal;
      throw error instanceof KithError && error.code !== "timeout" ? error : this.#unreachable(error);
    }
  }

  #listen(socket: Socket): void {
    socket.on("buddies", (received: unknown) => {
      const delta = LOGIN_PUSHES.buddies.safeParse(received);
      if (delta.success) this.#listener.buddies(delta.data);
    });
    socket.on("supernodes", (received: unknown) => {
      const news = LOGIN_PUSHES.supernodes.safeParse(received);
      if (news.success) this.#listener.supernodes(news.data.revision);
    });
    socket.on("networkKeys", (received: unknown) => {
      const news = LOGIN_PUSHES.networkKeys.safeParse(received);
      if (news.success) learn(this.#identity.anchor, news.data.successions, this.#surroundings.log);
    });
    socket.on("signedOut", () => this.#signedOut());
    socket.on("disconnect", () => {
      if (this.#state.phase !== "open" || this.#state.socket !== socket) return;
      this.#state = { phase: "closed" };
      this.#trouble = this.#unreachable();
      this.#retryLater();
      this.#listener.changed();
    });
  }

  #signedOut(): void {
    this.stop();
    this.#listener.signedOut();
  }

  #retryLater(): void {
    if (this.#stopped) return;
    const { clock, random, background } = this.#surroundings;
    // Who was told when to come again comes then and a little later: not all at the same moment.
    const waitMs = secondsAskedFor(this.#trouble) * 1_000 + backoffMs(this.#attempt++, uniform(random));
    this.#cancelTimer = clock.after(waitMs, () => background.run("login session", this.#connect()));
  }

  #unreachable(cause?: unknown): KithError {
    return new KithError("login-server-unreachable", { address: this.#identity.loginServer }, { cause });
  }
}

/** What the server said when it turned the connection away. */
function refusalOf(error: unknown): KithError | null {
  const refused = Refused.safeParse(error);
  return refused.success ? KithError.fromWire(refused.data.data) : null;
}
