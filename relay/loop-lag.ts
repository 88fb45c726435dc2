/** How busy this process is: by how much its event loop is late. */
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 20;
const RENEW_MS = 1_000;

export class LoopLag {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #renewal: NodeJS.Timeout;
  #worstMs = 0;

  constructor() {
    this.#histogram.enable();
    this.#renewal = setInterval(() => {
      this.#worstMs = this.#sinceRenewal();
      this.#histogram.reset();
    }, RENEW_MS);
  }

  /** The longest turn of the last one or two seconds, in ms. */
  read(): number {
    return Math.max(this.#worstMs, this.#sinceRenewal());
  }

  close(): void {
    clearInterval(this.#renewal);
    this.#histogram.disable();
  }

  #sinceRenewal(): number {
    return Math.max(0, this.#histogram.max / 1e6 - RESOLUTION_MS);
  }
}
