/** Time, passed in so that tests can turn it themselves. */
export interface Clock {
  /** ms since 1970 */
  now(): number;
  /** Runs `action` once, `ms` from now. @returns cancels it */
  after(ms: number, action: () => void): () => void;
}

/** @param now replaces the computer's time of day, not its timers */
export function systemClock(now: () => number = Date.now): Clock {
  return {
    now,
    after(ms, action) {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
  };
}
