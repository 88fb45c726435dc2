/** A rate with a burst. The time is passed in. */
export class TokenBucket {
  /** When it will be full again: one number says how full it is at any time (as in ITU-T I.371's GCRA). */
  #fullAt = 0;
  readonly #burst: number;
  readonly #perMs: number;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
  }

  /** Whether so much more is allowed now; if so, it is counted. */
  take(now: number, cost = 1): boolean {
    if (this.#tokens(now) < cost) return false;
    this.charge(cost, now);
    return true;
  }

  /** Until so much will be allowed, if nothing is taken meanwhile. */
  waitMs(now: number, cost = 1): number {
    return Math.max(0, (cost - this.#tokens(now)) / this.#perMs);
  }

  /** Whether it is as if nothing had ever been taken. */
  isFull(now: number): boolean {
    return now >= this.#fullAt;
  }

  /** Whether nothing is allowed now. Counts nothing. */
  isEmpty(now: number): boolean {
    return this.#tokens(now) < 1;
  }

  /** Takes more, into debt if need be: what is owed is waited for. */
  charge(cost: number, now: number): void {
    const tokens = Math.max(this.#tokens(now) - cost, -this.#burst);
    this.#fullAt = now + (this.#burst - tokens) / this.#perMs;
  }

  #tokens(now: number): number {
    return Math.min(this.#burst, this.#burst - (this.#fullAt - now) * this.#perMs);
  }
}
