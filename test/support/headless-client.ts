/**
 * The client core in plain Node, on a folder of its own: what the window shows is kept here,
 * and tests wait for what it should come to show. Media is the window's job; here it connects
 * as soon as it is asked for, unless the test plays it itself.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KithClient, openClient } from "../../main/core/client.ts";
import type { ClientOptions } from "../../main/core/client-options.ts";
import { silentLog } from "../../main/core/log.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import type { BuddyView, CallView, IpcPush, IpcPushes, LineView, SessionView } from "../../protocol/ipc-schema.ts";

export interface HeadlessOptions extends Partial<ClientOptions> {
  /** What becomes of the media that the core asks for; "by-hand" leaves it to the test. */
  readonly media?: "connects" | "by-hand";
}

export type SignedInView = Extract<SessionView, { phase: "signed-in" }>;
type Push = { [K in keyof IpcPushes]: { readonly name: K; readonly value: IpcPush<K> } }[keyof IpcPushes];

const PASSWORD = "correct horse battery";
/** Argon2 at its cheapest: only one test is about how dear it is. */
const QUICK = { "argon2id-custom": { iterations: 1, memory: 8, parallelism: 1 } };

export class HeadlessClient {
  readonly folder: string;
  readonly loginServer: string;
  /** Every push so far, oldest first. */
  readonly pushes: Push[] = [];
  session: SessionView = { phase: "starting" };
  buddies: readonly BuddyView[] = [];
  call: CallView = { phase: "idle" };
  /** By line ID, as pushed last. */
  readonly lines = new Map<string, LineView>();
  readonly #client: KithClient;
  readonly #media: "connects" | "by-hand";
  readonly #waiters = new Set<() => void>();
  #ownsFolder: boolean;
  #open = true;

  private constructor(
    client: KithClient,
    options: { folder: string; loginServer: string; ownsFolder: boolean; media: "connects" | "by-hand" },
  ) {
    this.#client = client;
    this.folder = options.folder;
    this.loginServer = options.loginServer;
    this.#ownsFolder = options.ownsFolder;
    this.#media = options.media;
  }

  /** @param options a data folder of the caller's own is not removed at the end */
  static async open(loginServer: string, options: HeadlessOptions = {}): Promise<HeadlessClient> {
    const folder = options.dataFolder ?? mkdtempSync(join(tmpdir(), "kith-client-"));
    const { media = "connects", ...core } = options;
    const client = await openClient({
      deviceName: "headless",
      defaultLoginServer: loginServer,
      systemKeyStore: null,
      keyStretching: QUICK,
      log: silentLog,
      ...core,
      dataFolder: folder,
    });
    const ownsFolder = options.dataFolder === undefined;
    const headless = new HeadlessClient(client, { folder, loginServer, ownsFolder, media });
    client.onPush((name, value) => headless.#pushed({ name, value } as Push));
    const { session, buddies, call } = await client.methods.snapshot({});
    Object.assign(headless, { session, buddies, call });
    return headless;
  }

  /** A client that has just signed up, attached. */
  static async signedUp(loginServer: string, handle: string, options: HeadlessOptions = {}): Promise<HeadlessClient> {
    const client = await HeadlessClient.open(loginServer, options);
    await client.signUp(handle);
    await client.attached();
    return client;
  }

  get methods(): KithClient["methods"] {
    return this.#client.methods;
  }

  /** A link that the operating system hands over, and a user who says yes to what it asks. */
  openLink(link: string): void {
    const fingerprint = this.#client.openLink(link);
    if (fingerprint !== null) this.#client.confirmNetworkKey(fingerprint);
  }

  get mayUseMicrophone(): boolean {
    return this.#client.mayUseMicrophone();
  }

  async signUp(handle: string, password = PASSWORD, invitation = ""): Promise<void> {
    await this.methods.signUp({ loginServer: this.loginServer, handle, password, invitation });
  }

  async signIn(handle: string, password = PASSWORD): Promise<void> {
    await this.methods.signIn({ loginServer: this.loginServer, handle, password });
  }

  /** @throws Error unless somebody is signed in */
  get me(): SignedInView {
    if (this.session.phase !== "signed-in") throw new Error(`not signed in but ${this.session.phase}`);
    return this.session;
  }

  attached(timeoutMs?: number): Promise<SignedInView> {
    return this.until(
      () => this.session.phase === "signed-in" && this.session.attached && this.me,
      "attached",
      timeoutMs,
    );
  }

  buddy(handle: string): BuddyView | undefined {
    return this.buddies.find((buddy) => buddy.handle === handle);
  }

  /** @throws Error if there is no such buddy */
  idOf(handle: string): UserId {
    const buddy = this.buddy(handle);
    if (!buddy) throw new Error(`${handle} is not on the list`);
    return buddy.userId;
  }

  /** Both become buddies and see each other online. */
  async befriend(other: HeadlessClient): Promise<void> {
    await this.methods.requestBuddy({ handle: other.me.handle, greeting: "Hello" });
    const asking = await other.until(() => other.buddy(this.me.handle), "asked");
    await other.methods.acceptBuddy({ userId: asking.userId });
    await Promise.all([this.seesOnline(other.me.handle), other.seesOnline(this.me.handle)]);
  }

  seesOnline(handle: string, timeoutMs?: number): Promise<BuddyView> {
    return this.sees(handle, "online", timeoutMs);
  }

  sees(handle: string, presence: BuddyView["presence"], timeoutMs?: number): Promise<BuddyView> {
    return this.until(
      () => {
        const buddy = this.buddy(handle);
        return buddy?.presence === presence ? buddy : undefined;
      },
      `${handle} seen ${presence}`,
      timeoutMs,
    );
  }

  async say(handle: string, text: string): Promise<LineView> {
    return this.methods.sendMessage({ peer: this.idOf(handle), text });
  }

  /** The texts of a conversation in its order, as a fresh look at the store shows them. */
  async texts(handle: string): Promise<string[]> {
    const { lines } = await this.methods.lines({ peer: this.idOf(handle), before: null, limit: 200 });
    return lines.flatMap((line) => (line.kind === "text" ? [line.text] : []));
  }

  /** Waits for a line that was pushed, now or before. */
  line(matches: (line: LineView) => boolean, what: string, timeoutMs?: number): Promise<LineView> {
    return this.until(() => [...this.lines.values()].find(matches), what, timeoutMs);
  }

  hears(text: string, timeoutMs?: number): Promise<LineView> {
    return this.line((line) => line.kind === "text" && !line.mine && line.text === text, `"${text}" heard`, timeoutMs);
  }

  inCall<P extends CallView["phase"]>(phase: P, timeoutMs?: number): Promise<Extract<CallView, { phase: P }>> {
    return this.until(
      () => (this.call.phase === phase ? (this.call as Extract<CallView, { phase: P }>) : undefined),
      `call ${phase}`,
      timeoutMs,
    );
  }

  /** How often a push of this name has come. */
  count(name: keyof IpcPushes): number {
    return this.pushes.filter((push) => push.name === name).length;
  }

  /** Resolves with what `look` finds, looked for now and after every push. @throws Error that says what was not seen */
  until<T>(look: () => T | undefined | null | false, what: string, timeoutMs = 60_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        const seen = JSON.stringify({ session: this.session, buddies: this.buddies, call: this.call });
        reject(new Error(`not within ${timeoutMs} ms: ${what}; shown: ${seen}`));
      }, timeoutMs);
      const check = () => {
        const found = look();
        if (found === undefined || found === null || found === false) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve(found);
      };
      this.#waiters.add(check);
      check();
    });
  }

  /** Closes the client and opens its profile anew, as a restart of the app does. */
  async reopen(options: HeadlessOptions = {}): Promise<HeadlessClient> {
    await this.close({ keepFolder: true });
    const again = await HeadlessClient.open(this.loginServer, { ...options, dataFolder: this.folder });
    again.#ownsFolder = this.#ownsFolder;
    return again;
  }

  /** Closes the client; a folder of the caller's own stays. */
  async close({ keepFolder = false } = {}): Promise<void> {
    if (this.#open) await this.#client.close();
    this.#open = false;
    if (this.#ownsFolder && !keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  #pushed(push: Push): void {
    this.pushes.push(push);
    switch (push.name) {
      case "session":
        this.session = push.value;
        break;
      case "buddies":
        this.buddies = push.value;
        break;
      case "call":
        this.call = push.value;
        break;
      case "line":
        this.lines.set(push.value.lineId, push.value);
        break;
      case "openMedia":
        if (this.#media === "connects") this.#connectMedia(push.value);
        break;
      default:
        break;
    }
    for (const check of [...this.#waiters]) check();
  }

  #connectMedia({ callId }: IpcPush<"openMedia">): void {
    setImmediate(() => {
      if (this.#open) void this.methods.mediaState({ callId, media: "connected" });
    });
  }
}
