/**
 * Memory for millions of small cells outside the garbage-collected heap (Bonwick, "The
 * Slab Allocator", 1994): half-megabyte slabs, each cut into cells of one size, free
 * cells chained through themselves. The collector sees one object per slab instead of
 * one per record, so its pauses do not grow with the directory.
 */

const UNIT_BYTES = 8;
const UNITS_PER_SLAB = 1 << 16;
const SLAB_BYTES = UNIT_BYTES * UNITS_PER_SLAB;
const WORDS_PER_UNIT = UNIT_BYTES / Int32Array.BYTES_PER_ELEMENT;
const NO_WORDS = new Int32Array(0);
const NONE = 0xffffffff;

/** A cell's place: slab number in the upper 16 bits, unit within the slab in the lower. 2^32 units are 32 GiB. */
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

/** The first byte of a used cell is never zero: that is how a walk tells it from a free one. */
export class SlabArena {
  readonly #unitsPerSlab: number;
  readonly #slabs: (Slab | null)[] = [];
  /** The slabs' memory again: a look-up reads this and nothing else of them. */
  readonly #words: Int32Array[] = [];
  /** Slab numbers whose memory was given back. */
  readonly #vacant: number[] = [];
  /** By cell size in units: slabs that still have room. */
  readonly #roomy = new Map<number, Set<number>>();

  /** @param slabBytes less than the usual half megabyte for a store that stays small among thousands in one process */
  constructor(slabBytes: number = SLAB_BYTES) {
    if (slabBytes > SLAB_BYTES) throw new RangeError(`slabs of more than ${SLAB_BYTES} bytes`);
    this.#unitsPerSlab = Math.floor(slabBytes / UNIT_BYTES);
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
    if (slab.live === slab.cells) this.#roomy.get(cellUnits)?.delete(number);
    return number * UNITS_PER_SLAB + unit;
  }

  free(cell: Cell): void {
    const number = cell >>> 16;
    const slab = this.#slab(number);
    const unit = cell & 0xffff;
    slab.memory[unit * UNIT_BYTES] = 0;
    slab.memory.writeUInt32LE(slab.freed, unit * UNIT_BYTES + 4);
    slab.freed = unit;
    slab.live--;
    const roomy = this.#roomy.get(slab.cellUnits);
    if (slab.live === 0) {
      roomy?.delete(number);
      this.#slabs[number] = null;
      this.#words[number] = NO_WORDS;
      this.#vacant.push(number);
    } else {
      roomy?.add(number);
    }
  }

  /** The slab that a cell lies in, and where: read and write nothing beyond the cell. */
  memoryOf(cell: Cell): Buffer {
    return this.#slab(cell >>> 16).memory;
  }

  offsetOf(cell: Cell): number {
    return (cell & 0xffff) * UNIT_BYTES;
  }

  /** The same memory as words; cells begin at whole ones. No words if the slab is vacant. */
  wordsOf(cell: Cell): Int32Array {
    return this.#words[cell >>> 16] ?? NO_WORDS;
  }

  wordOffsetOf(cell: Cell): number {
    return (cell & 0xffff) * WORDS_PER_UNIT;
  }

  /** Whether a cell has room for `bytes` without wasting a unit, so that it can be overwritten in place. */
  fits(cell: Cell, bytes: number): boolean {
    return this.#slab(cell >>> 16).cellUnits === Math.ceil(bytes / UNIT_BYTES);
  }

  isUsed(cell: Cell): boolean {
    const slab = this.#slabs[cell >>> 16];
    return slab != null && slab.memory[this.offsetOf(cell)] !== 0;
  }

  /** Slabs ever made, vacant ones included: the bound of a walk by `usedCells`. */
  get slabCount(): number {
    return this.#slabs.length;
  }

  get allocatedBytes(): number {
    return (this.#slabs.length - this.#vacant.length) * this.#unitsPerSlab * UNIT_BYTES;
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
    let roomy = this.#roomy.get(cellUnits);
    if (!roomy) {
      roomy = new Set();
      this.#roomy.set(cellUnits, roomy);
    }
    for (const number of roomy) return number;
    const number = this.#vacant.pop() ?? this.#slabs.length;
    if (number >= 1 << 16) throw new RangeError("the arena is full: 32 GiB");
    const memory = new ArrayBuffer(this.#unitsPerSlab * UNIT_BYTES);
    this.#words[number] = new Int32Array(memory);
    this.#slabs[number] = {
      memory: Buffer.from(memory),
      cellUnits,
      cells: Math.floor(this.#unitsPerSlab / cellUnits),
      fresh: 0,
      live: 0,
      freed: NONE,
    };
    roomy.add(number);
    return number;
  }

  #slab(number: number): Slab {
    const slab = this.#slabs[number];
    if (!slab) throw new RangeError(`slab ${number} is vacant`);
    return slab;
  }
}
