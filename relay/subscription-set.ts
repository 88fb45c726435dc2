/**
 * What we want to be told of by one other supernode, kept true: changes are gathered into
 * batches, and a lost link or a failed request is made up for with back-off.
 */
import { backoffMs } from "../protocol/backoff.ts";
import { MAX_WATCH_BATCH } from "../protocol/supernode-api.ts";

export interface SubscriptionParts<Key> {
  /** One batch of at most MAX_WATCH_BATCH each. */
  send(add: Key[], remove: Key[]): Promise<void>;
  /** The other supernode has them now. */
  confirmed(keys: readonly Key[]): void;
  /** It does not answer (any more): nothing is known of these for now. */
  failed(keys: readonly Key[]): void;
  readonly random: () => number;
}

export class SubscriptionSet<Key> {
  readonly #parts: SubscriptionParts<Key>;
  /** Wanted, and not told yet. */
  readonly #toAdd = new Set<Key>();
  readonly #confirmed = new Set<Key>();
  readonly #toRemove = new Set<Key>();
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;
  #failures = 0;

  constructor(parts: SubscriptionParts<Key>) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#toAdd.size + this.#confirmed.size === 0;
  }

  want(key: Key): void {
    this.#toRemove.delete(key);
    if (this.#confirmed.has(key)) return;
    this.#toAdd.add(key);
    this.#sendSoon();
  }

  unwant(key: Key): void {
    this.#toAdd.delete(key);
    if (!this.#confirmed.delete(key)) return;
    this.#toRemove.add(key);
    this.#sendSoon();
  }

  /** The link was lost, and with it everything at the other end. */
  lost(): void {
    const keys = [...this.#confirmed];
    this.#toRemove.clear();
    for (const key of keys) this.#toAdd.add(key);
    this.#confirmed.clear();
    if (keys.length > 0) this.#parts.failed(keys);
    if (this.#toAdd.size > 0) this.#sendLater();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#toAdd.clear();
    this.#toRemove.clear();
    this.#confirmed.clear();
  }

  /** At the end of this turn, so that whatever is wanted at once travels at once. */
  #sendSoon(): void {
    if (this.#timer === undefined && !this.#isSending) this.#schedule(0);
  }

  #sendLater(): void {
    if (this.#isSending) return;
    clearTimeout(this.#timer);
    this.#schedule(backoffMs(this.#failures++, this.#parts.random()));
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, delayMs);
  }

  async #send(): Promise<void> {
    const add = firstOf(this.#toAdd, MAX_WATCH_BATCH);
    const remove = firstOf(this.#toRemove, MAX_WATCH_BATCH);
    if (add.length + remove.length === 0) return;
    for (const key of remove) this.#toRemove.delete(key);
    this.#isSending = true;
    try {
      await this.#parts.send(add, remove);
      this.#isSending = false;
      this.#failures = 0;
      this.#settle(add);
      if (this.#toAdd.size + this.#toRemove.size > 0) this.#sendSoon();
    } catch {
      this.#isSending = false;
      const wanted = add.filter((key) => this.#toAdd.has(key));
      if (wanted.length > 0) this.#parts.failed(wanted);
      if (this.#toAdd.size > 0) this.#sendLater();
    }
  }

  #settle(added: readonly Key[]): void {
    const wanted: Key[] = [];
    for (const key of added) {
      if (this.#toAdd.delete(key)) {
        this.#confirmed.add(key);
        wanted.push(key);
      } else {
        this.#toRemove.add(key);
      }
    }
    if (wanted.length > 0) this.#parts.confirmed(wanted);
  }
}

function firstOf<Key>(keys: Iterable<Key>, count: number): Key[] {
  const first: Key[] = [];
  for (const key of keys) {
    if (first.length === count) break;
    first.push(key);
  }
  return first;
}
