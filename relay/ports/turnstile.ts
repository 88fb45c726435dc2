/** So much costly work at a time: whoever comes when all places are taken is refused at once, and comes again. */
import { KithError } from "../../protocol/errors.ts";
import { PromptWindow, type PromptWindowParts } from "./prompt-window.ts";

/** When a place is likely to be free again; the client adds jitter of its own. */
const WAIT_SECONDS = 2;

export class Turnstile {
  readonly #clock: () => number;
  readonly #window: PromptWindow;
  #taken = 0;

  constructor(parts: PromptWindowParts) {
    this.#clock = parts.clock;
    this.#window = new PromptWindow(parts);
  }

  /** @throws KithError `rate-limited` before the work has begun, and what the work throws */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#window.has(this.#taken)) throw new KithError("rate-limited", { seconds: WAIT_SECONDS });
    this.#taken++;
    const since = this.#clock();
    try {
      return await work();
    } finally {
      this.#taken--;
      this.#window.done(this.#clock() - since);
    }
  }
}
