/** Guesses at one account's password, from however many addresses. */
import type { Handle } from "../../protocol/identifiers.ts";
import type { RateLimiter } from "../limits/rate-limiter.ts";

/** Where people sign in from who know their password; beyond it the one longest ago is forgotten. */
const MAX_KNOWN = 100_000;

/**
 * Limits guesses by account. Whoever is known at an address is not kept out by guesses from elsewhere: what comes from
 * there is counted apart. Handles that nobody has are counted alike, so that the limit tells nobody which those are.
 */
export class PasswordGuesses {
  readonly #limit: RateLimiter;
  readonly #known = new Set<string>();

  constructor(limit: RateLimiter) {
    this.#limit = limit;
  }

  /** @throws KithError `rate-limited` */
  begin(handle: Handle, subscriber: string): void {
    const place = placeOf(handle, subscriber);
    this.#limit.take(this.#known.has(place) ? place : handle);
  }

  /** The password was proved from there, or a device of the account has opened a session. */
  known(handle: Handle, subscriber: string): void {
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
