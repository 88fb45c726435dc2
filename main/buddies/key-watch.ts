/**
 * Watches the key log for this account and its buddies. A login server that certifies another
 * key for somebody must show it in the log to whoever is to believe it, and everybody has the
 * same log: so its owner sees it here, and is told.
 */
import { KithError } from "../../protocol/errors.ts";
import type { Handle, UserId } from "../../protocol/identifiers.ts";
import type { KeyLogHead } from "../../protocol/key-log.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { Buddy } from "./buddy-list.ts";
import type { KeyAlerts } from "./key-alerts.ts";
import type { KeyChains } from "./key-chains.ts";
import { type KeyLogReader, trustHead } from "./key-log-reader.ts";

const ROUND_MS = 3_600_000;
/** Buddies' chains: each at least so often. */
const BUDDY_CHECK_MS = 24 * 3_600_000;
/** Of looking for a certificate that is not in the log yet. */
const TRIES = 4;
/** Between two buddies: a round is nobody's hurry. */
const GAP_MS = 100;

export interface KeyWatchParts {
  readonly self: { readonly handle: Handle; readonly userId: UserId };
  readonly anchor: TrustAnchor;
  readonly chains: KeyChains;
  readonly reader: KeyLogReader;
  readonly alerts: KeyAlerts;
  buddies(): readonly Buddy[];
  readonly surroundings: Pick<Surroundings, "clock" | "background" | "log" | "times">;
}

export class KeyWatch {
  readonly #parts: KeyWatchParts;
  /** One reading after the other: each continues where the one before it has stopped. */
  #queue: Promise<void> = Promise.resolve();
  #cancelRound: () => void = () => {};
  #selfCheckedAt = Number.NEGATIVE_INFINITY;
  #cancelSelfCheck: (() => void) | null = null;
  readonly #pauses = new Set<() => void>();
  #isStopped = false;

  constructor(parts: KeyWatchParts) {
    this.#parts = parts;
  }

  /** The session with the login server is open: now the log can be read. */
  sessionOpened(): void {
    this.#cancelRound();
    this.#enqueue(() => this.#round());
    this.#cancelRound = this.#parts.surroundings.clock.after(ROUND_MS, () => this.sessionOpened());
  }

  /** Perhaps somebody is on the list who was not: their key is looked up before they are believed for long. */
  buddiesChanged(): void {
    this.#enqueue(() => this.#checkBuddies());
  }

  /** A supernode passes on a head: it must be of the log that the login server shows us. */
  headSeen(bytes: Uint8Array): void {
    this.#enqueue(async () => {
      const { reader, anchor } = this.#parts;
      const head = this.#parse(anchor, bytes);
      if (!head) return;
      await reader.adopt(head);
      this.#checkSelfSoon();
    });
  }

  /** Resolves once nothing is being read or written any more. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRound();
    this.#cancelSelfCheck?.();
    for (const wake of this.#pauses) wake();
    return this.#queue;
  }

  /** What the supernode makes up itself says nothing of the login server. */
  #parse(anchor: TrustAnchor, bytes: Uint8Array): Signed<KeyLogHead> | null {
    try {
      return trustHead(anchor, bytes);
    } catch {
      return null;
    }
  }

  #checkSelfSoon(): void {
    const { clock, times } = this.#parts.surroundings;
    if (this.#cancelSelfCheck) return;
    const waitMs = Math.max(0, this.#selfCheckedAt + times.ownKeysCheckMs - clock.monotonic());
    this.#cancelSelfCheck = clock.after(waitMs, () => {
      this.#cancelSelfCheck = null;
      this.#enqueue(() => this.#checkSelf());
    });
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#isStopped) return;
      try {
        await work();
      } catch (thrown) {
        await this.#fault(KithError.from(thrown));
      }
    });
    this.#parts.surroundings.background.run("key log", this.#queue);
  }

  async #fault(error: KithError): Promise<void> {
    const { alerts, surroundings } = this.#parts;
    if (error.code === "key-log-forked" || error.code === "key-log-broken") {
      await alerts.raise(error.code, {});
    } else {
      surroundings.log.warn("key log", { code: error.code, cause: error.cause });
    }
  }

  async #round(): Promise<void> {
    await this.#checkSelf();
    await this.#checkBuddies();
  }

  async #checkBuddies(): Promise<void> {
    const { chains, surroundings, buddies } = this.#parts;
    for (const buddy of buddies()) {
      if (this.#isStopped) return;
      if (surroundings.clock.now() - (await chains.checkedAt(buddy.handle)) < BUDDY_CHECK_MS) continue;
      await this.#checkBuddy(buddy);
      await this.#pause(GAP_MS);
    }
  }

  /** Whoever had the handle before us is none of our business; whoever came after is not us. */
  async #checkSelf(): Promise<void> {
    const { self, reader, alerts, surroundings } = this.#parts;
    this.#selfCheckedAt = surroundings.clock.monotonic();
    const owners = await reader.read(self.handle);
    const mine = owners.find(({ userId }) => userId === self.userId);
    for (const { userId, last, issuedAt } of owners) {
      if (userId === self.userId || (mine && last < mine.first)) continue;
      await alerts.raise("key-log-second-key", { handle: self.handle, date: dateOf(issuedAt) }, userId);
    }
  }

  async #checkBuddy({ handle, userId }: Buddy): Promise<void> {
    const { reader, alerts, surroundings } = this.#parts;
    for (let tries = 1; tries <= TRIES && !this.#isStopped; tries++) {
      const owners = await reader.read(handle);
      const known = owners.find((owner) => owner.userId === userId);
      if (known) {
        const later = owners.find(({ last }) => last > known.last);
        if (later) await alerts.raise("key-log-buddy-replaced", { handle, date: dateOf(later.issuedAt) }, later.userId);
        return;
      }
      await this.#pause(surroundings.times.unlistedKeyRetryMs);
    }
    if (!this.#isStopped) await alerts.raise("key-log-unlisted-key", { handle }, userId);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#pauses.delete(wake);
        resolve();
      };
      this.#pauses.add(wake);
      this.#parts.surroundings.clock.after(ms, wake);
    });
  }
}

function dateOf(issuedAt: number): string {
  return new Date(issuedAt).toISOString().slice(0, 10);
}
