/**
 * Whether a look-up may ask a second holder only because the first one is slow. Where one is dead that
 * saves the look-up. Where all are slow, since there is more to do than can be done, it makes more of it: at
 * four requests for each look-up nobody ever catches up. So what was asked for nothing is counted: the slow one has
 * answered after all (as gRPC throttles its hedges, proposal A6, but without a word from the server).
 */

/** Asked for nothing in a row before it stops. */
const MOST_IN_VAIN = 10;
/** Earned back by each look-up: so many of a hundred may be hedged for nothing in the long run. */
const EARNED_BY_LOOK_UP = 0.1;

export class HedgeBudget {
  #left = MOST_IN_VAIN;

  get isSpent(): boolean {
    return this.#left < 1;
  }

  lookUpBegun(): void {
    this.#left = Math.min(MOST_IN_VAIN, this.#left + EARNED_BY_LOOK_UP);
  }

  /** A holder that was not waited for has answered: it was slow, not dead. */
  askedInVain(): void {
    this.#left = Math.max(0, this.#left - 1);
  }
}
