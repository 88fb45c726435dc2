/** What stands between the two requests of one step. Kept in memory: what a restart forgets is simply begun again. */
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";

/** Where they are kept; in the database for several instances. */
export interface AttemptStore<T> {
  add(id: string, attempt: T): void | Promise<void>;
  /**
   * An attempt is good for one finish, whatever comes of it: a guess costs a whole exchange.
   * @throws KithError `login-attempt-over` if it was finished before, took too long or never was
   */
  take(id: string): T | Promise<T>;
}

/** A store of one kind of attempts. */
export type AttemptStores = <T extends object>(kind: string, schema: z.ZodType<T>) => AttemptStore<T>;

/** Argon2 takes seconds on a slow machine; a minute is plenty. */
export const ATTEMPT_LIFE_MS = 60_000;
/** About 0.5 kB each. Beyond it the oldest gives way, so that a flood cannot fill the memory. */
export const MAX_ATTEMPTS = 20_000;

export class Attempts<T extends object> implements AttemptStore<T> {
  readonly #attempts = new Map<string, { readonly attempt: T; readonly expiresAt: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(id: string, attempt: T): void {
    const now = this.#now();
    // A Map keeps the order of insertion, and all live equally long: the oldest is the next to expire.
    for (const [oldest, { expiresAt }] of this.#attempts) {
      if (expiresAt > now && this.#attempts.size < MAX_ATTEMPTS) break;
      this.#attempts.delete(oldest);
    }
    this.#attempts.set(id, { attempt, expiresAt: now + ATTEMPT_LIFE_MS });
  }

  take(id: string): T {
    const kept = this.#attempts.get(id);
    this.#attempts.delete(id);
    if (!kept || kept.expiresAt <= this.#now()) throw new KithError("login-attempt-over");
    return kept.attempt;
  }
}
