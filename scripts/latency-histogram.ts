/** Latencies, counted by the microsecond up to a tenth of a second. */
const LONGEST_US = 100_000;

export class LatencyHistogram {
  readonly #counts = new Uint32Array(LONGEST_US + 1);
  #total = 0;

  addMs(ms: number): void {
    const us = Math.round(ms * 1_000);
    const bucket = Math.min(Math.max(us, 0), LONGEST_US);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** @param share 0.5 for the median. @returns microseconds */
  quantileUs(share: number): number {
    let left = share * this.#total;
    for (let us = 0; us <= LONGEST_US; us++) {
      left -= this.#counts[us] ?? 0;
      if (left <= 0) return us;
    }
    return LONGEST_US;
  }
}
