/** A token bucket: `perSecond` on average, and never more than `burst` saved up. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAtMs = nowMs;
  }

  /** An amount larger than the whole bucket is there when the bucket is full, and is paid off afterwards. */
  has(amount: number, nowMs: number): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return true;
    const filled = this.#tokens + ((nowMs - this.#filledAtMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(filled, this.#burst);
    this.#filledAtMs = nowMs;
    return this.#tokens >= Math.min(amount, this.#burst);
  }

  spend(amount: number): void {
    if (this.#perSecond !== Number.POSITIVE_INFINITY) this.#tokens -= amount;
  }

  /** Spends `amount` if it is there. */
  take(amount: number, nowMs: number): boolean {
    if (!this.has(amount, nowMs)) return false;
    this.spend(amount);
    return true;
  }
}
