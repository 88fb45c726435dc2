/**
 * The wall clock for whatever paces itself: it never goes back, whatever is done to the
 * clock of the machine, and follows it ahead, as after a sleep that the monotonic clock
 * has not seen.
 */
export class SteadyClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #last: number;
  #lastMonotonic: number;

  /** @param wall ms since 1970 @param monotonic ms since whenever */
  constructor(wall: () => number, monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#last = wall();
    this.#lastMonotonic = monotonic();
  }

  /** ms since 1970 */
  readonly now = (): number => {
    const monotonic = this.#monotonic();
    this.#last = Math.max(this.#last + (monotonic - this.#lastMonotonic), this.#wall());
    this.#lastMonotonic = monotonic;
    return this.#last;
  };
}
