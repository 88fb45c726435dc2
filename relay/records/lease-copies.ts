/**
 * Copies of leases that last, out of cells that do not. Word by word into chunks that many share:
 * for a few hundred bytes a call to `Buffer.copy` costs as much as all else of a look-up.
 */

const CHUNK_BYTES = 1 << 14;
const WORD_BYTES = 4;

export class LeaseCopies {
  #bytes = new Uint8Array(0);
  #words = new Int32Array(0);
  #used = 0;

  /**
   * @param prefix what stands before the words
   * @param from words of memory, from `start` on
   * @param length of what follows the prefix, in bytes
   */
  copy(prefix: Uint8Array, from: Int32Array, start: number, length: number): Uint8Array {
    const words = Math.ceil(length / WORD_BYTES);
    const body = Math.ceil((this.#used + prefix.length) / WORD_BYTES);
    const lease = body * WORD_BYTES - prefix.length;
    if ((body + words) * WORD_BYTES > this.#bytes.length) {
      this.#begin((words + 1) * WORD_BYTES + prefix.length);
      return this.copy(prefix, from, start, length);
    }
    this.#used = (body + words) * WORD_BYTES;
    const bytes = this.#bytes;
    for (let at = 0; at < prefix.length; at++) bytes[lease + at] = prefix[at] as number;
    const to = this.#words;
    for (let at = 0; at < words; at++) to[body + at] = from[start + at] as number;
    return new Uint8Array(bytes.buffer, lease, prefix.length + length);
  }

  #begin(atLeast: number): void {
    const chunk = new ArrayBuffer(Math.max(CHUNK_BYTES, Math.ceil(atLeast / WORD_BYTES) * WORD_BYTES));
    this.#bytes = new Uint8Array(chunk);
    this.#words = new Int32Array(chunk);
    this.#used = 0;
  }
}
