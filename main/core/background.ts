/** Work that nobody waits for: its failure is logged, and closing waits for its end. */
import { KithError } from "../../protocol/errors.ts";
import type { Log } from "./log.ts";

export class Background {
  readonly #log: Log;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  run(what: string, work: Promise<unknown>): void {
    const guarded = work.then(
      () => {},
      (thrown: unknown) => {
        const error = KithError.from(thrown);
        this.#log.error(what, { code: error.code, cause: error.cause });
      },
    );
    this.#running.add(guarded);
    void guarded.then(() => this.#running.delete(guarded));
  }

  /** Resolves once nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
