/**
 * What we want to be told of by one other supernode, kept true: changes are gathered into
 * batches, and a lost link or a failed request is made up for with back-off.
 */
import { backoffMs } from "../../protocol/backoff.ts";
import { MAX_WATCH_BATCH } from "../../protocol/supernode-api.ts";

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
  readonly #wanted = new Set<Key>();
  /** Wanted, and told us ever since. */
  readonly #confirmed = new Set<Key>();
  /** What the other supernode may have of us, as far as we can know. */
  readonly #there = new Set<Key>();
  /** Those for which the above may not agree yet. */
  readonly #open = new Set<Key>();
  /** Given up while they were on the way: what the other supernode said of them was not heard. */
  readonly #unheard = new Set<Key>();
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;
  #failures = 0;

  constructor(parts: SubscriptionParts<Key>) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#wanted.size === 0;
  }

  want(key: Key): void {
    this.#wanted.add(key);
    if (!this.#confirmed.has(key)) this.#reopen(key);
  }

  unwant(key: Key): void {
    if (!this.#wanted.delete(key)) return;
    this.#confirmed.delete(key);
    this.#unheard.add(key);
    this.#reopen(key);
  }

  /** The link was lost, and with it everything at the other end. */
  lost(): void {
    const keys = [...this.#confirmed];
    this.#confirmed.clear();
    this.#there.clear();
    this.#open.clear();
    for (const key of this.#wanted) this.#open.add(key);
    if (keys.length > 0) this.#parts.failed(keys);
    if (this.#open.size > 0) this.#sendLater();
  }

  /** The other supernode has shown itself: however often it has failed before, what is open is asked for soon. */
  hurry(): void {
    if (this.#failures === 0 || this.#open.size === 0) return;
    this.#failures = 0;
    this.#sendLater();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const keys of [this.#wanted, this.#confirmed, this.#there, this.#open]) keys.clear();
  }

  /** Sent at the end of this turn, so that whatever changes at once travels at once. */
  #reopen(key: Key): void {
    this.#open.add(key);
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
    const { add, remove } = this.#nextBatch();
    if (add.length + remove.length === 0) return;
    this.#isSending = true;
    this.#unheard.clear();
    for (const key of add) this.#there.add(key);
    try {
      await this.#parts.send(add, remove);
      this.#isSending = false;
      this.#failures = 0;
      for (const key of remove) this.#there.delete(key);
      this.#confirm(add);
      if (this.#open.size > 0) this.#schedule(0);
    } catch {
      this.#isSending = false;
      const wanted = add.filter((key) => this.#wanted.has(key));
      if (wanted.length > 0) this.#parts.failed(wanted);
      if (this.#open.size > 0) this.#sendLater();
    }
  }

  #nextBatch(): { add: Key[]; remove: Key[] } {
    const add: Key[] = [];
    const remove: Key[] = [];
    for (const key of this.#open) {
      if (add.length === MAX_WATCH_BATCH || remove.length === MAX_WATCH_BATCH) break;
      if (this.#wanted.has(key) && !this.#confirmed.has(key)) add.push(key);
      else if (!this.#wanted.has(key) && this.#there.has(key)) remove.push(key);
      else this.#open.delete(key);
    }
    return { add, remove };
  }

  /** What was given up meanwhile stays open: it is taken back, or asked for once more. */
  #confirm(added: readonly Key[]): void {
    const heard = added.filter((key) => !this.#unheard.has(key));
    for (const key of heard) {
      this.#confirmed.add(key);
      this.#open.delete(key);
    }
    if (heard.length > 0) this.#parts.confirmed(heard);
  }
}
