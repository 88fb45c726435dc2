/** Time that passes only when told to. */
export class ManualClock {
  #now = 0;
  #timers: { at: number; readonly everyMs: number | null; readonly run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    return this.#start({ at: this.#now + ms, everyMs: null, run });
  }

  every(ms: number, run: () => void): () => void {
    return this.#start({ at: this.#now + ms, everyMs: ms, run });
  }

  /** Runs what is due on the way, and whatever that starts, promises included. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = next.at;
      if (next.everyMs === null) this.#timers = this.#timers.filter((timer) => timer !== next);
      else next.at += next.everyMs;
      next.run();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number) {
    return this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }

  #start(timer: { at: number; readonly everyMs: number | null; readonly run: () => void }): () => void {
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
