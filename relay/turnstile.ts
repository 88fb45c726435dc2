/** So much costly work at a time: whoever comes when all places are taken is refused at once, and comes again. */
import { KithError } from "../protocol/errors.ts";

/** When a place is likely to be free again; the client adds jitter of its own. */
const WAIT_SECONDS = 2;

export class Turnstile {
  readonly #places: number;
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** @throws KithError `rate-limited` before the work has begun, and what the work throws */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#places) throw new KithError("rate-limited", { seconds: WAIT_SECONDS });
    this.#taken++;
    try {
      return await work();
    } finally {
      this.#taken--;
    }
  }
}
