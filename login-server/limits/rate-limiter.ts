/** Token buckets in memory, one per key: what one address or account may do in a time. */
import { KithError } from "../../protocol/errors.ts";

export interface Rate {
  /** What may be done at once. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Of limits that several instances keep together. */
export interface Sharing {
  /** What the others are told instead of a key, which may be an address. */
  disguise(key: string): string;
  taken(disguised: string): void;
}

/** About 100 bytes each. */
const MAX_BUCKETS = 100_000;

export class RateLimiter {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #maxBuckets: number;
  readonly #sharing: Sharing | null;
  /** When each bucket would be full again, ms: all that a bucket has to remember. */
  readonly #fullAt = new Map<string, number>();

  /** @param maxBuckets how many keys are remembered: beyond it the one unused longest is forgotten */
  constructor(rate: Rate, now: () => number, maxBuckets = MAX_BUCKETS, sharing: Sharing | null = null) {
    this.#rate = rate;
    this.#sharing = sharing;
    this.#maxBuckets = maxBuckets;
    this.#now = now;
  }

  /** Buckets that are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** @throws KithError `rate-limited` with the seconds after which it would be granted */
  take(plainKey: string): void {
    const key = this.#sharing?.disguise(plainKey) ?? plainKey;
    const now = this.#now();
    const costMs = 1_000 / this.#rate.perSecond;
    const fullAt = this.#fullAgainAt(key, now) + costMs;
    const waitMs = fullAt - now - this.#rate.burst * costMs;
    // Rounding must not refuse the last one of a burst.
    if (waitMs > 0.001) throw new KithError("rate-limited", { seconds: Math.ceil(waitMs / 1_000) });
    this.#remember(key, fullAt, now);
    this.#sharing?.taken(key);
  }

  /** So often it was taken at other instances. However often: the bucket is empty at most. */
  takenElsewhere(disguised: string, times: number): void {
    const now = this.#now();
    const costMs = 1_000 / this.#rate.perSecond;
    const fullAt = this.#fullAgainAt(disguised, now) + costMs * times;
    this.#remember(disguised, Math.min(fullAt, now + this.#rate.burst * costMs), now);
  }

  /** Later than of an empty bucket only after the clock was set back: that must keep nobody out for as long as it was ahead. */
  #fullAgainAt(key: string, now: number): number {
    const { burst, perSecond } = this.#rate;
    const costMs = 1_000 / perSecond;
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? now);
    return fullAt > now + burst * costMs + 1 ? now + (burst - 1) * costMs : fullAt;
  }

  #remember(key: string, fullAt: number, now: number): void {
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
