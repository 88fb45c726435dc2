/**
 * The primitives of every signed binary structure: big-endian fixed-width integers,
 * fixed-length byte strings, and length-prefixed byte and UTF-8 strings.
 * A reader never trusts a length: whatever is short, long or left over is refused.
 */
import { KithError } from "./errors.ts";

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Builds one structure. Values that do not fit their field throw a RangeError: that is our bug, not bad input. */
export class ByteWriter {
  #parts: Uint8Array[] = [];

  u8(value: number): this {
    return this.#uint(value, 1);
  }

  u16(value: number): this {
    return this.#uint(value, 2);
  }

  u32(value: number): this {
    return this.#uint(value, 4);
  }

  /** An unsigned 64-bit field that carries JavaScript's safe integers (up to 2^53 - 1): times in ms, serials. */
  u64(value: number): this {
    return this.#uint(value, 8);
  }

  /** Exactly `length` bytes, with no prefix. */
  fixed(value: Uint8Array, length: number): this {
    if (value.length !== length) {
      throw new RangeError(`field takes ${length} bytes, got ${value.length}`);
    }
    this.#parts.push(value);
    return this;
  }

  /** A byte string behind a 16-bit length. */
  bytes16(value: Uint8Array): this {
    this.u16(value.length);
    this.#parts.push(value);
    return this;
  }

  /** A byte string behind a 32-bit length. */
  bytes32(value: Uint8Array): this {
    this.u32(value.length);
    this.#parts.push(value);
    return this;
  }

  /** A UTF-8 string behind an 8-bit length in bytes. */
  string8(value: string): this {
    const encoded = utf8Encoder.encode(value);
    this.u8(encoded.length);
    this.#parts.push(encoded);
    return this;
  }

  finish(): Uint8Array {
    return concatBytes(this.#parts);
  }

  #uint(value: number, width: 1 | 2 | 4 | 8): this {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * width)) {
      throw new RangeError(`${value} does not fit an unsigned field of ${width} bytes`);
    }
    const field = new Uint8Array(width);
    let rest = value;
    for (let index = width - 1; index >= 0; index--) {
      field[index] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#parts.push(field);
    return this;
  }
}

/** Reads one structure; every failure is a KithError with code `malformed`. */
export class ByteReader {
  #offset = 0;
  readonly #input: Uint8Array;
  readonly #what: string;

  /** @param what names the structure in the refusal, e.g. "lease". */
  constructor(input: Uint8Array, what: string) {
    this.#input = input;
    this.#what = what;
  }

  u8(): number {
    return this.#uint(1);
  }

  u16(): number {
    return this.#uint(2);
  }

  u32(): number {
    return this.#uint(4);
  }

  u64(): number {
    const value = this.#uint(8);
    if (!Number.isSafeInteger(value)) throw this.refuse("a number beyond 2^53");
    return value;
  }

  /** A copy, so that a small structure does not keep a big packet alive. */
  fixed(length: number): Uint8Array {
    if (this.remaining < length) throw this.refuse("cut short");
    const start = this.#offset;
    this.#offset += length;
    return Uint8Array.prototype.slice.call(this.#input, start, this.#offset);
  }

  bytes16(maxLength: number): Uint8Array {
    return this.#prefixed(this.u16(), maxLength);
  }

  bytes32(maxLength: number): Uint8Array {
    return this.#prefixed(this.u32(), maxLength);
  }

  string8(): string {
    const encoded = this.fixed(this.u8());
    try {
      return utf8Decoder.decode(encoded);
    } catch {
      throw this.refuse("text that is not UTF-8");
    }
  }

  get remaining(): number {
    return this.#input.length - this.#offset;
  }

  /** Everything not yet read. */
  rest(): Uint8Array {
    return this.fixed(this.remaining);
  }

  /** Refuses trailing bytes: one structure has one encoding. */
  end(): void {
    if (this.remaining !== 0) throw this.refuse(`${this.remaining} bytes too many`);
  }

  refuse(why: string): KithError {
    return new KithError("malformed", { what: this.#what, why });
  }

  #prefixed(length: number, maxLength: number): Uint8Array {
    if (length > maxLength) throw this.refuse(`${length} bytes where ${maxLength} are allowed`);
    return this.fixed(length);
  }

  #uint(width: number): number {
    if (this.remaining < width) throw this.refuse("cut short");
    let value = 0;
    for (let index = 0; index < width; index++) {
      value = value * 256 + (this.#input[this.#offset + index] as number);
    }
    this.#offset += width;
    return value;
  }
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

const HEX_PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The first digit of each byte above the second. */
const HEX_DIGITS = Uint16Array.from(HEX_PAIRS, (pair) => (pair.charCodeAt(0) << 8) | pair.charCodeAt(1));
const asciiDecoder = new TextDecoder("latin1");
const shortText = new Uint8Array(64);

/** What is as short as an identifier is written in one piece: a third of the time, and nothing to be joined later. */
export function toHex(bytes: Uint8Array): string {
  const { length } = bytes;
  if (2 * length > shortText.length) return Array.from(bytes, (byte) => HEX_PAIRS[byte]).join("");
  for (let index = 0; index < length; index++) {
    const digits = HEX_DIGITS[bytes[index] as number] as number;
    shortText[2 * index] = digits >> 8;
    shortText[2 * index + 1] = digits & 0xff;
  }
  return asciiDecoder.decode(shortText.subarray(0, 2 * length));
}

/** @throws KithError `malformed` unless `text` is lower-case hexadecimal of whole bytes. */
export function fromHex(text: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new KithError("malformed", { what: "hexadecimal text" });
  const bytes = new Uint8Array(text.length / 2);
  readHex(text, bytes);
  return bytes;
}

/** Fills bytes from lower-case hexadecimal that was checked before: an identifier. */
export function readHex(text: string, into: Uint8Array): void {
  for (let index = 0; index < into.length; index++) {
    into[index] = (hexDigit(text.charCodeAt(2 * index)) << 4) | hexDigit(text.charCodeAt(2 * index + 1));
  }
}

function hexDigit(code: number): number {
  // Letters have bit 6. No branch: whether the next one is a letter is what no processor can guess.
  return (code & 0xf) + 9 * (code >> 6);
}
