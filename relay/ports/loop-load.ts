/** How busy this process is: the share of time in which its event loop had something to do. */
import { type EventLoopUtilization, performance } from "node:perf_hooks";

const RENEW_MS = 1_000;

export class LoopLoad {
  readonly #renewal: NodeJS.Timeout;
  #since: EventLoopUtilization = performance.eventLoopUtilization();
  #lastSecond = 0;

  constructor() {
    this.#renewal = setInterval(() => {
      const now = performance.eventLoopUtilization();
      this.#lastSecond = performance.eventLoopUtilization(now, this.#since).utilization;
      this.#since = now;
    }, RENEW_MS);
  }

  /** From 0 to 1, over the last second or, where that is still going on, over both. */
  read(): number {
    return Math.max(this.#lastSecond, performance.eventLoopUtilization(this.#since).utilization);
  }

  close(): void {
    clearInterval(this.#renewal);
  }
}
