/** Keeps so many of whatever is put into it, and gives up the least wanted: a binary heap with that one at its root. */
export class BoundedHeap<T> {
  readonly #limit: number;
  readonly #isLessWanted: (a: T, b: T) => boolean;
  readonly #items: T[] = [];

  constructor(limit: number, isLessWanted: (a: T, b: T) => boolean) {
    this.#limit = limit;
    this.#isLessWanted = isLessWanted;
  }

  /** In no order that means anything. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Whether nothing was given up for it. */
  add(item: T): boolean {
    if (this.#items.length < this.#limit) {
      this.#items.push(item);
      this.#rise(this.#items.length - 1);
      return true;
    }
    if (!this.#isLessWanted(item, this.#items[0] as T)) {
      this.#items[0] = item;
      this.#sink(0);
    }
    return false;
  }

  delete(item: T): void {
    const place = this.#items.indexOf(item);
    if (place < 0) return;
    const last = this.#items.pop() as T;
    if (place === this.#items.length) return;
    this.#items[place] = last;
    this.#rise(place);
    this.#sink(place);
  }

  #rise(from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isLessWanted(this.#items[place] as T, this.#items[parent] as T)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #sink(from: number): void {
    let place = from;
    for (;;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        const isThere = child < this.#items.length;
        if (isThere && this.#isLessWanted(this.#items[child] as T, this.#items[least] as T)) least = child;
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a] as T;
    this.#items[a] = this.#items[b] as T;
    this.#items[b] = item;
  }
}
