/**
 * From a hash to the cells that may hold its records: open addressing with linear
 * probing (Knuth, TAOCP 3, section 6.4), cut into a thousand segments that grow one at
 * a time, so that no growth stops the process for more than a few milliseconds. Five
 * bytes a slot: the cell, and eight more bits of the hash that spare most visits to
 * cells of other users.
 */
import type { Cell } from "./slab-arena.ts";

/** A thousand segments: at 20 million records, growing one moves 30,000 entries. */
export const DEFAULT_SEGMENT_BITS = 10;
const FIRST_SLOTS = 16;
const MAX_LOAD = 0.8;
const EMPTY = 0;

interface Segment {
  cells: Uint32Array;
  /** 0 is an empty slot; otherwise 1 to 255, from the hash. */
  tags: Uint8Array;
  used: number;
}

/** Two independent 32-bit words, uniform. The first places, the second tags. */
export interface IndexHash {
  readonly place: number;
  readonly tag: number;
}

export class UserIndex {
  readonly #segments: Segment[];
  readonly #segmentShift: number;
  readonly #hashOf: (cell: Cell) => IndexHash;
  #size = 0;

  /** @param hashOf the hash of what a cell holds, needed to move entries. */
  constructor(hashOf: (cell: Cell) => IndexHash, segmentBits: number = DEFAULT_SEGMENT_BITS) {
    this.#hashOf = hashOf;
    this.#segmentShift = 32 - segmentBits;
    this.#segments = Array.from({ length: 1 << segmentBits }, () => emptySegment(FIRST_SLOTS));
  }

  get size(): number {
    return this.#size;
  }

  get allocatedBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.cells.length * 5, 0);
  }

  add(hash: IndexHash, cell: Cell): void {
    const number = hash.place >>> this.#segmentShift;
    let segment = this.#segments[number] as Segment;
    if (segment.used + 1 > segment.cells.length * MAX_LOAD) {
      segment = this.#grown(segment);
      this.#segments[number] = segment;
    }
    insert(segment, hash, cell);
    this.#size++;
  }

  /** The cells whose hash agrees, and of which the caller says that they are meant. */
  find(hash: IndexHash, isMeant: (cell: Cell) => boolean): Cell[] {
    const found: Cell[] = [];
    const { cells, tags } = this.#segments[hash.place >>> this.#segmentShift] as Segment;
    const mask = cells.length - 1;
    const tag = tagOf(hash);
    for (let slot = hash.place & mask; tags[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const cell = cells[slot] as Cell;
      if (tags[slot] === tag && isMeant(cell)) found.push(cell);
    }
    return found;
  }

  /** Removes an entry that is there, and moves those behind it up, so that no probe ends too early (Knuth, algorithm R). */
  remove(hash: IndexHash, cell: Cell): void {
    const segment = this.#segments[hash.place >>> this.#segmentShift] as Segment;
    const { cells, tags } = segment;
    const mask = cells.length - 1;
    let hole = hash.place & mask;
    while (cells[hole] !== cell || tags[hole] === EMPTY) {
      if (tags[hole] === EMPTY) return;
      hole = (hole + 1) & mask;
    }
    for (let slot = (hole + 1) & mask; tags[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const home = this.#hashOf(cells[slot] as Cell).place & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        cells[hole] = cells[slot] as number;
        tags[hole] = tags[slot] as number;
        hole = slot;
      }
    }
    tags[hole] = EMPTY;
    segment.used--;
    this.#size--;
  }

  #grown(segment: Segment): Segment {
    const larger = emptySegment(segment.cells.length * 2);
    for (let slot = 0; slot < segment.cells.length; slot++) {
      if (segment.tags[slot] === EMPTY) continue;
      const cell = segment.cells[slot] as Cell;
      insert(larger, this.#hashOf(cell), cell);
    }
    return larger;
  }
}

function emptySegment(slots: number): Segment {
  return { cells: new Uint32Array(slots), tags: new Uint8Array(slots), used: 0 };
}

function insert(segment: Segment, hash: IndexHash, cell: Cell): void {
  const mask = segment.cells.length - 1;
  let slot = hash.place & mask;
  while (segment.tags[slot] !== EMPTY) slot = (slot + 1) & mask;
  segment.cells[slot] = cell;
  segment.tags[slot] = tagOf(hash);
  segment.used++;
}

function tagOf(hash: IndexHash): number {
  return hash.tag & 0xff || 1;
}
