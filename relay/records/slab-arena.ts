/**
 * Memory for millions of small cells outside the garbage-collected heap (Bonwick, "The
 * Slab Allocator", 1994): slabs of half a megabyte to four, each cut into cells of one size, free
 * cells chained through themselves. The collector sees one object per slab instead of
 * one per record, so its pauses do not grow with the directory.
 */

const UNIT_BYTES = 8;
const UNIT_BITS = 19;
const UNITS_PER_SLAB = 2 ** UNIT_BITS;
const UNIT_MASK = UNITS_PER_SLAB - 1;
/** The allocator's few bytes on top make whole huge pages of it, which the system then puts where huge pages can be. */
const MAX_SLAB_BYTES = UNIT_BYTES * UNITS_PER_SLAB - 64;
const MAX_SLABS = 2 ** (32 - UNIT_BITS);
const FIRST_SLAB_BYTES = 1 << 19;
/** A slab has at least this share of what all cells of its size take: the larger the slabs, the sooner a look-up finds one. */
const GROWTH_SHARE = 1 / 16;
/** Smaller ones would be blown up to the size of a huge page. */
const HUGE_FROM_BYTES = MAX_SLAB_BYTES;
const WORDS_PER_UNIT = UNIT_BYTES / Int32Array.BYTES_PER_ELEMENT;
const NO_WORDS = new Int32Array(0);
const NONE = 0xffffffff;

/** A cell's place: slab number in the upper 13 bits, unit within the slab in the lower 19. 2^32 units are 32 GiB. */
export type Cell = number;

interface Slab {
  readonly memory: Buffer;
  readonly cellUnits: number;
  readonly cells: number;
  /** Cells from here on were never given out. */
  fresh: number;
  live: number;
  /** First freed cell, as a unit number, or NONE. */
  freed: number;
}

/** Cells of one size. */
interface SizeClass {
  bytes: number;
  /** Slab numbers. */
  readonly roomy: Set<number>;
}

export interface SlabOptions {
  /** Less for a store that stays small among thousands in one process. */
  readonly firstSlabBytes?: number;
  /** Asks the system to keep this memory in huge pages (huge-pages.ts). */
  readonly adviseHuge?: ((memory: ArrayBuffer) => void) | undefined;
}

/** The first byte of a used cell is never zero: that is how a walk tells it from a free one. */
export class SlabArena {
  readonly #firstSlabBytes: number;
  readonly #adviseHuge: (memory: ArrayBuffer) => void;
  readonly #slabs: (Slab | null)[] = [];
  /** The slabs' memory again: a look-up reads this and nothing else of them. */
  readonly #words: Int32Array[] = [];
  /** Slab numbers whose memory was given back. */
  readonly #vacant: number[] = [];
  /** By cell size in units. */
  readonly #classes = new Map<number, SizeClass>();
  #allocatedBytes = 0;

  constructor({ firstSlabBytes = FIRST_SLAB_BYTES, adviseHuge = () => undefined }: SlabOptions = {}) {
    this.#firstSlabBytes = firstSlabBytes;
    this.#adviseHuge = adviseHuge;
  }

  /** A cell of at least `bytes` bytes; its contents are arbitrary, and the first byte must be set to non-zero. */
  allocate(bytes: number): Cell {
    const cellUnits = Math.ceil(bytes / UNIT_BYTES);
    const number = this.#slabWithRoom(cellUnits);
    const slab = this.#slab(number);
    let unit: number;
    if (slab.freed !== NONE) {
      unit = slab.freed;
      slab.freed = slab.memory.readUInt32LE(unit * UNIT_BYTES + 4);
    } else {
      unit = slab.fresh * cellUnits;
      slab.fresh++;
    }
    slab.live++;
    if (slab.live === slab.cells) this.#classOf(cellUnits).roomy.delete(number);
    return number * UNITS_PER_SLAB + unit;
  }

  free(cell: Cell): void {
    const number = cell >>> UNIT_BITS;
    const slab = this.#slab(number);
    const unit = cell & UNIT_MASK;
    slab.memory[unit * UNIT_BYTES] = 0;
    slab.memory.writeUInt32LE(slab.freed, unit * UNIT_BYTES + 4);
    slab.freed = unit;
    slab.live--;
    const sizeClass = this.#classOf(slab.cellUnits);
    if (slab.live > 0) {
      sizeClass.roomy.add(number);
      return;
    }
    sizeClass.roomy.delete(number);
    sizeClass.bytes -= slab.memory.length;
    this.#allocatedBytes -= slab.memory.length;
    this.#slabs[number] = null;
    this.#words[number] = NO_WORDS;
    this.#vacant.push(number);
  }

  /** The slab that a cell lies in, and where: read and write nothing beyond the cell. */
  memoryOf(cell: Cell): Buffer {
    return this.#slab(cell >>> UNIT_BITS).memory;
  }

  offsetOf(cell: Cell): number {
    return (cell & UNIT_MASK) * UNIT_BYTES;
  }

  /** The same memory as words; cells begin at whole ones. No words if the slab is vacant. */
  wordsOf(cell: Cell): Int32Array {
    return this.#words[cell >>> UNIT_BITS] ?? NO_WORDS;
  }

  wordOffsetOf(cell: Cell): number {
    return (cell & UNIT_MASK) * WORDS_PER_UNIT;
  }

  /** Whether a cell has room for `bytes` without wasting a unit, so that it can be overwritten in place. */
  fits(cell: Cell, bytes: number): boolean {
    return this.#slab(cell >>> UNIT_BITS).cellUnits === Math.ceil(bytes / UNIT_BYTES);
  }

  isUsed(cell: Cell): boolean {
    const slab = this.#slabs[cell >>> UNIT_BITS];
    return slab != null && slab.memory[this.offsetOf(cell)] !== 0;
  }

  /** Slabs ever made, vacant ones included: the bound of a walk by `usedCells`. */
  get slabCount(): number {
    return this.#slabs.length;
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /**
   * Used cells of one slab, from the `first`-th cell on, at most `max` of them.
   * @returns the cells, and the first cell that was not looked at, null at the end of the slab
   */
  usedCells(slabNumber: number, first: number, max: number): { readonly cells: Cell[]; readonly next: number | null } {
    const slab = this.#slabs[slabNumber];
    const cells: Cell[] = [];
    if (!slab) return { cells, next: null };
    for (let index = first; index < slab.fresh; index++) {
      if (cells.length === max) return { cells, next: index };
      const unit = index * slab.cellUnits;
      if (slab.memory[unit * UNIT_BYTES] !== 0) cells.push(slabNumber * UNITS_PER_SLAB + unit);
    }
    return { cells, next: null };
  }

  #slabWithRoom(cellUnits: number): number {
    const sizeClass = this.#classOf(cellUnits);
    for (const number of sizeClass.roomy) return number;
    const number = this.#vacant.pop() ?? this.#slabs.length;
    if (number >= MAX_SLABS) throw new RangeError("the arena is full");
    const wanted = Math.max(this.#firstSlabBytes, sizeClass.bytes * GROWTH_SHARE);
    const memory = new ArrayBuffer(UNIT_BYTES * Math.floor(Math.min(wanted, MAX_SLAB_BYTES) / UNIT_BYTES));
    if (memory.byteLength >= HUGE_FROM_BYTES) this.#adviseHuge(memory);
    sizeClass.bytes += memory.byteLength;
    this.#allocatedBytes += memory.byteLength;
    this.#words[number] = new Int32Array(memory);
    this.#slabs[number] = {
      memory: Buffer.from(memory),
      cellUnits,
      cells: Math.floor(memory.byteLength / UNIT_BYTES / cellUnits),
      fresh: 0,
      live: 0,
      freed: NONE,
    };
    sizeClass.roomy.add(number);
    return number;
  }

  #classOf(cellUnits: number): SizeClass {
    const known = this.#classes.get(cellUnits);
    if (known) return known;
    const sizeClass = { bytes: 0, roomy: new Set<number>() };
    this.#classes.set(cellUnits, sizeClass);
    return sizeClass;
  }

  #slab(number: number): Slab {
    const slab = this.#slabs[number];
    if (!slab) throw new RangeError(`slab ${number} is vacant`);
    return slab;
  }
}
