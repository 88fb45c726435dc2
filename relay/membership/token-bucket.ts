/** A rate with a burst. The time is passed in. */
export class TokenBucket {
  #tokens: number;
  #at: number;
  readonly #burst: number;
  readonly #perMs: number;

  constructor(burst: number, perSecond: number, now: number) {
    this.#tokens = burst;
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
    this.#at = now;
  }

  /** Whether one more is allowed now; if so, it is counted. */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes more, into debt if need be: what is owed is waited for. */
  charge(cost: number, now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(this.#tokens - cost, -this.#burst);
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
