/** Time, passed in so that tests can turn it themselves. */
export interface Clock {
  /** ms since 1970 */
  now(): number;
  /** ms since some moment; never set, so that differences are durations */
  monotonic(): number;
  /** Runs `action` once, `ms` from now. @returns cancels it */
  after(ms: number, action: () => void): () => void;
}

/** The computer's clock, set right by the login server's: how old a signal is must not depend on whose clock lags. */
export class NetworkClock implements Clock {
  readonly #own: Clock;
  #offsetMs = 0;

  constructor(own: Clock) {
    this.#own = own;
  }

  now(): number {
    return this.#own.now() + this.#offsetMs;
  }

  monotonic(): number {
    return this.#own.monotonic();
  }

  after(ms: number, action: () => void): () => void {
    return this.#own.after(ms, action);
  }

  /** How far the computer's own clock is from another one, in ms; positive: it lags. */
  lagBehind(otherNow: number): number {
    return otherNow - this.#own.now();
  }

  /** Goes by that other clock from now on, unless the two agree about as well as a request can tell. */
  setRight(lagMs: number): void {
    if (Math.abs(lagMs - this.#offsetMs) > TOLERANCE_MS) this.#offsetMs = lagMs;
  }
}

/** Below this it may as well have been the network. */
const TOLERANCE_MS = 2_000;

/** @param now replaces the computer's time of day, not its timers */
export function systemClock(now: () => number = Date.now): Clock {
  return {
    now,
    monotonic: () => performance.now(),
    after(ms, action) {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
  };
}
