/** Token buckets in memory, one per key: what one address or account may do in a time. */
import { KithError } from "../protocol/errors.ts";

export interface Rate {
  /** What may be done at once. */
  readonly burst: number;
  readonly perSecond: number;
}

/** About 100 bytes each. */
const MAX_BUCKETS = 100_000;

export class RateLimiter {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #maxBuckets: number;
  /** When each bucket would be full again, ms: all that a bucket has to remember. */
  readonly #fullAt = new Map<string, number>();

  /** @param maxBuckets how many keys are remembered: beyond it the one unused longest is forgotten */
  constructor(rate: Rate, now: () => number, maxBuckets = MAX_BUCKETS) {
    this.#rate = rate;
    this.#maxBuckets = maxBuckets;
    this.#now = now;
  }

  /** Buckets that are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** @throws KithError `rate-limited` with the seconds after which it would be granted */
  take(key: string): void {
    const now = this.#now();
    const costMs = 1_000 / this.#rate.perSecond;
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? now) + costMs;
    const waitMs = fullAt - now - this.#rate.burst * costMs;
    // Rounding must not refuse the last one of a burst.
    if (waitMs > 0.001) throw new KithError("rate-limited", { seconds: Math.ceil(waitMs / 1_000) });
    // Deleted first, so that the Map stays ordered by use and the first is the one unused longest.
    this.#fullAt.delete(key);
    this.#fullAt.set(key, fullAt);
    if (this.#fullAt.size > this.#maxBuckets) this.#forgetFull(now);
  }

  #forgetFull(now: number): void {
    for (const [key, fullAt] of this.#fullAt) {
      if (fullAt > now && this.#fullAt.size <= this.#maxBuckets) break;
      this.#fullAt.delete(key);
    }
  }
}
