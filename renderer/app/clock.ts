/** Time, passed in, so that tests can have their own. */
export interface Clock {
  /** ms since 1970 */
  now(): number;
  /** @returns how to call it off */
  after(ms: number, run: () => void): () => void;
  /** @returns how to stop it */
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};
