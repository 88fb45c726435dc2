/**
 * Inputs as an enemy or an accident may send them. FUZZ_RUNS says how many each decoder gets: ten
 * thousand in `npm test`, a million in `npm run fuzz`. FUZZ_SEED repeats a run that failed.
 */
import { toHex } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";

export const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? 10_000);
/** Over real sockets each takes a hundred times as long as a decoder. */
export const SOCKET_FUZZ_RUNS = Math.max(150, Math.floor(FUZZ_RUNS / 100));
/** A tenth of a millisecond each is far more than any takes, even on a machine that does four other things. */
export const FUZZ_TIMEOUT_MS = 60_000 + FUZZ_RUNS;

const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
const CODES = ["malformed", "too-large"];
/** Where fields begin to be too long, or signs to turn. */
const EDGES = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

/** Bytes made of valid ones: flipped, set, cut, grown, repeated, spliced with another, or none of their own. */
export class Mutator {
  readonly #seeds: readonly Uint8Array[];
  #state = SEED;

  /** @param seeds at least one, each valid */
  constructor(seeds: readonly Uint8Array[]) {
    this.#seeds = seeds;
  }

  next(): Uint8Array {
    if (this.#below(8) === 0) return this.#noise(this.#below(400));
    let bytes = Uint8Array.from(this.#seed());
    for (let changes = 1 + this.#below(4); changes > 0; changes--) bytes = this.#changed(bytes);
    return bytes;
  }

  #changed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const at = this.#below(bytes.length + 1);
    const copy = Uint8Array.from(bytes);
    switch (this.#below(7)) {
      case 0:
        if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << this.#below(8));
        return copy;
      case 1:
        if (at < copy.length) copy[at] = EDGES[this.#below(EDGES.length)] as number;
        return copy;
      case 2:
        if (at < copy.length) copy[at] = this.#below(256);
        return copy;
      case 3:
        return copy.slice(0, at);
      case 4:
        return joined(copy.subarray(0, at), this.#noise(1 + this.#below(3)), copy.subarray(at));
      case 5:
        return joined(copy, copy.subarray(at));
      default: {
        const other = this.#seed();
        return joined(copy.subarray(0, at), other.subarray(this.#below(other.length + 1)));
      }
    }
  }

  #seed(): Uint8Array {
    return this.#seeds[this.#below(this.#seeds.length)] as Uint8Array;
  }

  #noise(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#below(256));
  }

  /** Uniform enough: mulberry32 (Ettinger, public domain). */
  #below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }
}

/**
 * Decodes FUZZ_RUNS inputs. Each is refused with a code, or passes `holds`.
 * @param holds throws if what was decoded is not as it must be
 * @returns how many were refused
 * @throws Error with the input in hexadecimal and the seed
 */
export function fuzz<T>(
  seeds: readonly Uint8Array[],
  decode: (input: Uint8Array) => T,
  holds: (decoded: T, input: Uint8Array) => void = () => undefined,
  codes: readonly string[] = CODES,
): number {
  const mutator = new Mutator(seeds);
  let refused = 0;
  for (let run = 0; run < FUZZ_RUNS; run++) {
    const input = mutator.next();
    try {
      let decoded: T;
      try {
        decoded = decode(input);
      } catch (error) {
        if (!(error instanceof KithError && codes.includes(error.code))) throw error;
        refused++;
        continue;
      }
      holds(decoded, input);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${SEED}, run ${run}: ${toHex(input)}`, { cause: error });
    }
  }
  return refused;
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}
