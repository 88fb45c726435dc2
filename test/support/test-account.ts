/** An account's keys and one device of it, without any server. */
import { randomBytes } from "node:crypto";
import { type AccountKeys, accountKeys, newAccountSecrets } from "../../main/account/account-keys.ts";
import type { Clock } from "../../main/core/clock.ts";
import { newDeviceId } from "../../main/core/randomness.ts";
import { Envelopes, type PublicKeys } from "../../main/messages/envelopes.ts";
import type { DeviceAddress, UserId } from "../../protocol/identifiers.ts";

export const random = (length: number) => new Uint8Array(randomBytes(length));

/** Time that stands still until a test moves it; what is due is done then. */
export class ManualClock implements Clock {
  #now = Date.UTC(2026, 10, 1);
  #due: { at: number; action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, action: () => void): () => void {
    const entry = { at: this.#now + ms, action };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  /** How many timers run. */
  get running(): number {
    return this.#due.length;
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#due = this.#due.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = until;
  }
}

export class TestAccount {
  readonly keys: AccountKeys = accountKeys(newAccountSecrets(random));
  readonly address: DeviceAddress = { userId: this.keys.userId, deviceId: newDeviceId(random) };
  readonly envelopes: Envelopes;
  readonly #believed = new Map<UserId, PublicKeys>();

  constructor(clock: Clock) {
    const believed = (userId: UserId) => this.#believed.get(userId) ?? null;
    this.envelopes = new Envelopes(this.address, this.keys, believed, clock, random);
  }

  get publicKeys(): PublicKeys {
    return { signKey: this.keys.sign.publicKey, boxKey: this.keys.box.publicKey };
  }

  /** They are no buddies, or not yet. */
  disbelieve(other: TestAccount): void {
    this.#believed.delete(other.address.userId);
  }

  /** Pins the other's keys, as becoming buddies does. */
  believe(other: TestAccount, keys: PublicKeys = other.publicKeys): void {
    this.#believed.set(other.address.userId, keys);
  }
}
