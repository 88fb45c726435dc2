/** How often each of many askers may ask. Who is not heard of for a while is forgotten, with the allowance full again. */
import { KithError } from "../../protocol/errors.ts";
import { TokenBucket } from "../token-bucket.ts";

export interface Allowance {
  /** Requests at once after a pause. */
  readonly burst: number;
  readonly perMinute: number;
}

export class Allowances<K> {
  readonly #allowance: Allowance;
  readonly #clock: () => number;
  readonly #accounts = new Map<K, TokenBucket>();

  /** @param clock monotonic, in ms */
  constructor(allowance: Allowance, clock: () => number) {
    this.#allowance = allowance;
    this.#clock = clock;
  }

  /** Counts one request. @throws KithError `rate-limited` with the seconds to wait */
  spend(asker: K): void {
    const { burst, perMinute } = this.#allowance;
    const account = this.#accounts.get(asker) ?? new TokenBucket(burst, perMinute / 60);
    this.#accounts.set(asker, account);
    const now = this.#clock();
    if (account.take(now)) return;
    throw new KithError("rate-limited", { seconds: Math.ceil(account.waitMs(now) / 1_000) });
  }

  sweep(): void {
    const now = this.#clock();
    for (const [asker, account] of this.#accounts) if (account.isFull(now)) this.#accounts.delete(asker);
  }

  get size(): number {
    return this.#accounts.size;
  }
}
