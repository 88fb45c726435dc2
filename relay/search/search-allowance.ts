/** How often each of many askers may ask. Who is not heard of for a while is forgotten, with the allowance full again. */
import { KithError } from "../../protocol/errors.ts";

export interface Allowance {
  /** Requests at once after a pause. */
  readonly burst: number;
  readonly perMinute: number;
}

interface Account {
  tokens: number;
  at: number;
}

export class Allowances<K> {
  readonly #allowance: Allowance;
  readonly #clock: () => number;
  readonly #accounts = new Map<K, Account>();

  /** @param clock monotonic, in ms */
  constructor(allowance: Allowance, clock: () => number) {
    this.#allowance = allowance;
    this.#clock = clock;
  }

  /** Counts one request. @throws KithError `rate-limited` with the seconds to wait */
  spend(asker: K): void {
    const account = this.#accounts.get(asker) ?? { tokens: this.#allowance.burst, at: this.#clock() };
    this.#refill(account);
    this.#accounts.set(asker, account);
    if (account.tokens < 1) {
      const seconds = Math.ceil(((1 - account.tokens) / this.#allowance.perMinute) * 60);
      throw new KithError("rate-limited", { seconds });
    }
    account.tokens--;
  }

  sweep(): void {
    for (const [asker, account] of this.#accounts) {
      this.#refill(account);
      if (account.tokens >= this.#allowance.burst) this.#accounts.delete(asker);
    }
  }

  get size(): number {
    return this.#accounts.size;
  }

  #refill(account: Account): void {
    const now = this.#clock();
    const gained = (Math.max(0, now - account.at) / 60_000) * this.#allowance.perMinute;
    account.tokens = Math.min(this.#allowance.burst, account.tokens + gained);
    account.at = now;
  }
}
