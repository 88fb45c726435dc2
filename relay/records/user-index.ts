/**
 * From a hash to the cells that may hold its records: open addressing with linear
 * probing (Knuth, TAOCP 3, section 6.4), cut into a thousand segments that grow one at
 * a time, so that no growth stops the process for more than a few milliseconds. A slot is
 * eight bytes, the cell and the whole hash side by side: a probe reads one cache line, hardly
 * ever visits a cell of another user, and growing visits none.
 */
import type { Cell } from "./slab-arena.ts";

/** A thousand segments: at 20 million records, growing one moves 30,000 entries. */
export const DEFAULT_SEGMENT_BITS = 10;
const FIRST_SLOTS = 16;
const MAX_LOAD = 0.8;
const SLOT_BYTES = 8;
const EMPTY = 0;

interface Segment {
  /** Two words for each slot: the cell plus one, so that zero is an empty slot; and the hash. */
  words: Int32Array;
  used: number;
}

export class UserIndex {
  readonly #segments: Segment[];
  readonly #segmentShift: number;
  #size = 0;

  constructor(segmentBits: number = DEFAULT_SEGMENT_BITS) {
    this.#segmentShift = 32 - segmentBits;
    this.#segments = Array.from({ length: 1 << segmentBits }, () => emptySegment(FIRST_SLOTS));
  }

  get size(): number {
    return this.#size;
  }

  get allocatedBytes(): number {
    return this.#segments.reduce((sum, { words }) => sum + words.byteLength, 0);
  }

  /** @param hash 32 bits, uniform, signed, as everywhere here */
  add(hash: number, cell: Cell): void {
    const number = hash >>> this.#segmentShift;
    let segment = this.#segments[number] as Segment;
    if (segment.used + 1 > slotsOf(segment) * MAX_LOAD) {
      segment = grown(segment);
      this.#segments[number] = segment;
    }
    insert(segment, hash, cell + 1);
    this.#size++;
  }

  /** The cells whose hash agrees, and of which the caller says that they are meant. */
  find(hash: number, isMeant: (cell: Cell) => boolean): Cell[] {
    const found: Cell[] = [];
    const { words } = this.#segments[hash >>> this.#segmentShift] as Segment;
    const mask = words.length - 1;
    for (let at = (2 * hash) & mask; words[at] !== EMPTY; at = (at + 2) & mask) {
      if (words[at + 1] !== hash) continue;
      const cell = ((words[at] as number) - 1) >>> 0;
      if (isMeant(cell)) found.push(cell);
    }
    return found;
  }

  /** Removes an entry that is there, and moves those behind it up, so that no probe ends too early (Knuth, algorithm R). */
  remove(hash: number, cell: Cell): void {
    const segment = this.#segments[hash >>> this.#segmentShift] as Segment;
    const { words } = segment;
    const mask = words.length - 1;
    const wanted = (cell + 1) | 0;
    let hole = (2 * hash) & mask;
    while (words[hole] !== wanted) {
      if (words[hole] === EMPTY) return;
      hole = (hole + 2) & mask;
    }
    for (let at = (hole + 2) & mask; words[at] !== EMPTY; at = (at + 2) & mask) {
      const home = (2 * (words[at + 1] as number)) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        words[hole] = words[at] as number;
        words[hole + 1] = words[at + 1] as number;
        hole = at;
      }
    }
    words[hole] = EMPTY;
    segment.used--;
    this.#size--;
  }
}

function emptySegment(slots: number): Segment {
  return { words: new Int32Array((slots * SLOT_BYTES) / Int32Array.BYTES_PER_ELEMENT), used: 0 };
}

function slotsOf({ words }: Segment): number {
  return words.byteLength / SLOT_BYTES;
}

function grown(segment: Segment): Segment {
  const { words } = segment;
  const larger = emptySegment(2 * slotsOf(segment));
  for (let at = 0; at < words.length; at += 2) {
    if (words[at] !== EMPTY) insert(larger, words[at + 1] as number, words[at] as number);
  }
  return larger;
}

function insert(segment: Segment, hash: number, entry: number): void {
  const { words } = segment;
  const mask = words.length - 1;
  let at = (2 * hash) & mask;
  while (words[at] !== EMPTY) at = (at + 2) & mask;
  words[at] = entry;
  words[at + 1] = hash;
  segment.used++;
}
