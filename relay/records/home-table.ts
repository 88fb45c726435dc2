/**
 * Home supernodes by number. A million records name the same few thousand homes, so each
 * record keeps three bytes instead of twenty. Counted, because a hostile client can put
 * any home into its lease: a number lives only as long as a record that uses it.
 */
import { SUPERNODE_ID_BYTES } from "../../protocol/identifiers.ts";

export const HOME_NUMBER_BYTES = 3;
const MAX_HOMES = 2 ** (8 * HOME_NUMBER_BYTES);

interface Home {
  readonly id: Buffer;
  readonly key: string;
  users: number;
}

export class HomeTable {
  readonly #homes: (Home | null)[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #vacant: number[] = [];

  /** The home's number, one more record using it. */
  acquire(id: Uint8Array): number {
    const key = Buffer.from(id.buffer, id.byteOffset, SUPERNODE_ID_BYTES).toString("latin1");
    const known = this.#numbers.get(key);
    if (known !== undefined) {
      this.#at(known).users++;
      return known;
    }
    const number = this.#vacant.pop() ?? this.#homes.length;
    if (number >= MAX_HOMES) throw new RangeError("the home table is full");
    this.#homes[number] = { id: Buffer.from(id), key, users: 1 };
    this.#numbers.set(key, number);
    return number;
  }

  release(number: number): void {
    const home = this.#at(number);
    home.users--;
    if (home.users > 0) return;
    this.#homes[number] = null;
    this.#numbers.delete(home.key);
    this.#vacant.push(number);
  }

  idOf(number: number): Buffer {
    return this.#at(number).id;
  }

  get size(): number {
    return this.#numbers.size;
  }

  #at(number: number): Home {
    const home = this.#homes[number];
    if (!home) throw new RangeError(`home ${number} is vacant`);
    return home;
  }
}
