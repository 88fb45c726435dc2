/**
 * How much may be in progress at a time: as much as is done promptly, found as TCP finds its
 * window (additive increase, multiplicative decrease). Work that waits for others may be much; work
 * for which this machine is too slow must stay little enough that nobody gives up waiting.
 */

export interface PromptWindowParts {
  /** It never gets larger. */
  readonly most: number;
  /** Monotonic, in ms. */
  readonly clock: () => number;
  /** How busy this process is, from 0 to 1. */
  readonly load: () => number;
}

/**
 * What was begun should be done in this time, the round trips of others included; those who
 * have to wait for much longer give up, and all that was done for them was in vain.
 */
const PROMPT_MS = 2_500;
const FEWEST = 16;
/** Above, everything that comes has to wait. */
const SATURATED = 0.95;
/** What the last shrinking has done shows after this. */
const SHRINK_EVERY_MS = 1_000;

export class PromptWindow {
  readonly #parts: PromptWindowParts;
  #size: number;
  #shrunkAt = Number.NEGATIVE_INFINITY;

  /** It begins with half of its most. */
  constructor(parts: PromptWindowParts) {
    this.#parts = parts;
    this.#size = parts.most / 2;
  }

  has(inProgress: number): boolean {
    return inProgress < this.#size;
  }

  /** Something was done. */
  done(tookMs: number): void {
    if (tookMs <= PROMPT_MS) this.#size = Math.min(this.#parts.most, this.#size + 1);
    else this.#shrink();
  }

  /** Something came to nothing; what ends soon says nothing about this machine. */
  abandoned(tookMs: number): void {
    if (tookMs > PROMPT_MS) this.#shrink();
  }

  /** Only if it is our own slowness: others who dawdle, perhaps on purpose, shall not keep anybody out. */
  #shrink(): void {
    const { clock, load, most } = this.#parts;
    if (clock() - this.#shrunkAt < SHRINK_EVERY_MS || load() < SATURATED) return;
    this.#size = Math.max(Math.min(FEWEST, most), this.#size * 0.7);
    this.#shrunkAt = clock();
  }
}
