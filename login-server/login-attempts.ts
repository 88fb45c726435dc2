/** Logins between their two requests. Kept in memory: one that a restart forgets is simply begun again. */
import { KithError } from "../protocol/errors.ts";
import type { Handle } from "../protocol/identifiers.ts";

export interface LoginAttempt {
  readonly handle: Handle;
  readonly serverLoginState: string;
}

/** Argon2 takes seconds on a slow machine; a minute is plenty. */
const ATTEMPT_LIFE_MS = 60_000;
/** About 0.5 kB each. Beyond it the oldest gives way, so that a flood cannot fill the memory. */
export const MAX_ATTEMPTS = 20_000;

export class LoginAttempts {
  readonly #attempts = new Map<string, LoginAttempt & { readonly expiresAt: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(id: string, attempt: LoginAttempt): void {
    const now = this.#now();
    // A Map keeps the order of insertion, and all live equally long: the oldest is the next to expire.
    for (const [oldest, { expiresAt }] of this.#attempts) {
      if (expiresAt > now && this.#attempts.size < MAX_ATTEMPTS) break;
      this.#attempts.delete(oldest);
    }
    this.#attempts.set(id, { ...attempt, expiresAt: now + ATTEMPT_LIFE_MS });
  }

  /**
   * An attempt is good for one finish, whatever comes of it: a guess costs a whole exchange.
   * @throws KithError `login-attempt-over` if it was finished before, took too long or never was
   */
  take(id: string): LoginAttempt {
    const attempt = this.#attempts.get(id);
    this.#attempts.delete(id);
    if (!attempt || attempt.expiresAt <= this.#now()) throw new KithError("login-attempt-over");
    return attempt;
  }
}
