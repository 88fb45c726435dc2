/** Guesses at one account's password, from however many addresses. */
import type { Handle } from "../protocol/identifiers.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/** Where people sign in from who know their password; beyond it the one longest ago is forgotten. */
const MAX_KNOWN = 100_000;

/**
 * Limits guesses by account. Whoever has signed in from an address before is not kept out by others' guesses: that
 * address has only its own limit. Handles that nobody has are counted alike, so that the limit tells nobody which those are.
 */
export class PasswordGuesses {
  readonly #limit: RateLimiter;
  readonly #known = new Set<string>();

  constructor(limit: RateLimiter) {
    this.#limit = limit;
  }

  /** @throws KithError `rate-limited` */
  begin(handle: Handle, subscriber: string): void {
    if (!this.#known.has(placeOf(handle, subscriber))) this.#limit.take(handle);
  }

  succeeded(handle: Handle, subscriber: string): void {
    const place = placeOf(handle, subscriber);
    // Deleted first, so that the set stays ordered by use.
    this.#known.delete(place);
    this.#known.add(place);
    if (this.#known.size <= MAX_KNOWN) return;
    const [oldest] = this.#known;
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

function placeOf(handle: Handle, subscriber: string): string {
  return `${handle} ${subscriber}`;
}
