/**
 * Answers given to authenticated requests over UDP, kept so that a retransmission gets the
 * same answer instead of being carried out again (RFC 8489 §6.3.1). A fixed number is kept:
 * the oldest makes room.
 */

/** RFC 8489 §6.3.1: a client retransmits for less than this. */
const KEPT_MS = 40_000;
const MAX_ANSWERS = 8_192;

export class TransactionCache {
  readonly #answers = new Map<string, { readonly answer: Buffer; readonly expiresAtMs: number }>();

  /** @param key names the client's 5-tuple and the request */
  get(key: string, nowMs: number): Buffer | null {
    const entry = this.#answers.get(key);
    return entry !== undefined && entry.expiresAtMs > nowMs ? entry.answer : null;
  }

  set(key: string, answer: Buffer, nowMs: number): void {
    this.#answers.delete(key);
    this.#answers.set(key, { answer, expiresAtMs: nowMs + KEPT_MS });
    if (this.#answers.size > MAX_ANSWERS) this.#dropOldest();
  }

  sweep(nowMs: number): void {
    for (const [key, entry] of this.#answers) {
      // Insertion order is expiry order.
      if (entry.expiresAtMs > nowMs) return;
      this.#answers.delete(key);
    }
  }

  get size(): number {
    return this.#answers.size;
  }

  #dropOldest(): void {
    const oldest = this.#answers.keys().next();
    if (!oldest.done) this.#answers.delete(oldest.value);
  }
}
