/**
 * From transport address to value, for the packet path: open addressing over flat integer
 * arrays, so that a look-up allocates nothing. The hash is seeded, because clients choose
 * their addresses and ports.
 */
import type { TransportAddress } from "./transport-address.ts";

const WORDS_PER_KEY = 5;
const INITIAL_CAPACITY = 64;
/** Linear probing stays short below this share of used places. */
const MAX_LOAD = 0.6;

export class AddressTable<T> {
  #keys: Int32Array;
  #values: (T | undefined)[];
  #mask: number;
  #size = 0;
  readonly #seed: number;

  /** @param seed a random 32-bit integer */
  constructor(seed: number) {
    this.#seed = seed | 0;
    this.#mask = INITIAL_CAPACITY - 1;
    this.#keys = new Int32Array(INITIAL_CAPACITY * WORDS_PER_KEY);
    this.#values = new Array<T | undefined>(INITIAL_CAPACITY).fill(undefined);
  }

  get size(): number {
    return this.#size;
  }

  /** @param tag 0 to 32767: keeps equal addresses apart, e.g. by the listening socket that they were seen on */
  get(address: TransportAddress, tag: number): T | undefined {
    return this.#values[this.#find(address, tag)];
  }

  /** @param value never undefined, which marks a free place */
  set(address: TransportAddress, tag: number, value: T): void {
    let place = this.#find(address, tag);
    if (this.#values[place] === undefined) {
      if (this.#size + 1 > (this.#mask + 1) * MAX_LOAD) {
        this.#grow();
        place = this.#find(address, tag);
      }
      this.#size++;
      const at = place * WORDS_PER_KEY;
      this.#keys[at] = address.w0;
      this.#keys[at + 1] = address.w1;
      this.#keys[at + 2] = address.w2;
      this.#keys[at + 3] = address.w3;
      this.#keys[at + 4] = portWord(address, tag);
    }
    this.#values[place] = value;
  }

  delete(address: TransportAddress, tag: number): boolean {
    let hole = this.#find(address, tag);
    if (this.#values[hole] === undefined) return false;
    this.#size--;
    // Entries further along the chain move back into the hole, so that no tombstones pile up (Knuth, 6.4, algorithm R).
    for (let place = (hole + 1) & this.#mask; this.#values[place] !== undefined; place = (place + 1) & this.#mask) {
      const home = this.#homeOf(place);
      const mayMove = hole <= place ? home <= hole || home > place : home <= hole && home > place;
      if (mayMove) {
        this.#move(place, hole);
        hole = place;
      }
    }
    this.#values[hole] = undefined;
    return true;
  }

  #find(address: TransportAddress, tag: number): number {
    const keys = this.#keys;
    const last = portWord(address, tag);
    let place = this.#hash(address.w0, address.w1, address.w2, address.w3, last);
    for (;;) {
      if (this.#values[place] === undefined) return place;
      const at = place * WORDS_PER_KEY;
      if (
        keys[at + 4] === last &&
        keys[at + 3] === address.w3 &&
        keys[at + 2] === address.w2 &&
        keys[at + 1] === address.w1 &&
        keys[at] === address.w0
      ) {
        return place;
      }
      place = (place + 1) & this.#mask;
    }
  }

  #hash(w0: number, w1: number, w2: number, w3: number, last: number): number {
    let hash = this.#seed;
    hash = mix(hash ^ w3);
    hash = mix(hash ^ last);
    hash = mix(hash ^ w2);
    hash = mix(hash ^ w1);
    hash = mix(hash ^ w0);
    return hash & this.#mask;
  }

  #homeOf(place: number): number {
    const at = place * WORDS_PER_KEY;
    const word = (index: number) => this.#keys[at + index] ?? 0;
    return this.#hash(word(0), word(1), word(2), word(3), word(4));
  }

  #move(from: number, to: number): void {
    this.#keys.copyWithin(to * WORDS_PER_KEY, from * WORDS_PER_KEY, (from + 1) * WORDS_PER_KEY);
    this.#values[to] = this.#values[from];
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const capacity = (this.#mask + 1) * 2;
    this.#mask = capacity - 1;
    this.#keys = new Int32Array(capacity * WORDS_PER_KEY);
    this.#values = new Array<T | undefined>(capacity).fill(undefined);
    for (let old = 0; old < values.length; old++) {
      if (values[old] === undefined) continue;
      const key = keys.subarray(old * WORDS_PER_KEY, (old + 1) * WORDS_PER_KEY);
      let place = this.#hash(key[0] ?? 0, key[1] ?? 0, key[2] ?? 0, key[3] ?? 0, key[4] ?? 0);
      while (this.#values[place] !== undefined) place = (place + 1) & this.#mask;
      this.#keys.set(key, place * WORDS_PER_KEY);
      this.#values[place] = values[old];
    }
  }
}

function portWord(address: TransportAddress, tag: number): number {
  return (tag << 16) | address.port;
}

/** The finaliser of MurmurHash3: every bit of the input reaches every bit of the output. */
export function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
