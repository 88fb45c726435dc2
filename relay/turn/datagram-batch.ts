/**
 * An array of datagrams as recvmmsg and sendmmsg take it: message headers, each with one
 * piece of memory and one socket address, all laid out once and used again for ever.
 */
import {
  AF_INET,
  AF_INET6,
  addressOf,
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MSG_DONTWAIT,
  MSG_FLAGS,
  MSG_IOV,
  MSG_IOVLEN,
  MSG_LEN,
  MSG_NAME,
  MSG_NAMELEN,
  MSG_TRUNC,
  recvfrom,
  SOCKADDR_BYTES,
  sendto,
} from "./linux-sockets.ts";
import type { TransportAddress } from "./transport-address.ts";

/** Of each name; a multiple of 8. */
const NAME_STRIDE = 32;
const TWO_TO_32 = 2 ** 32;

export class DatagramBatch {
  readonly size: number;
  /** Headers from each index on: what a system call is given. */
  readonly from: readonly Uint8Array[];
  readonly #headers: DataView;
  readonly #headersPointer: number;
  readonly #vectors: DataView;
  readonly #names: DataView;
  readonly #namesPointer: number;
  /** As numbers, for calls that take one datagram. */
  readonly #memory: Float64Array;
  readonly #lengths: Uint32Array;

  constructor(size: number) {
    const headers = Buffer.alloc(size * MMSGHDR_BYTES);
    const vectors = Buffer.alloc(size * IOVEC_BYTES);
    const names = Buffer.alloc(size * NAME_STRIDE);
    this.size = size;
    this.from = Array.from({ length: size }, (_, index) => headers.subarray(index * MMSGHDR_BYTES));
    this.#headers = viewOf(headers);
    this.#headersPointer = addressOf(headers);
    this.#vectors = viewOf(vectors);
    this.#names = viewOf(names);
    this.#namesPointer = addressOf(names);
    this.#memory = new Float64Array(size);
    this.#lengths = new Uint32Array(size);
    for (let index = 0; index < size; index++) {
      const header = index * MMSGHDR_BYTES;
      writePointer(this.#headers, header + MSG_NAME, this.#namesPointer + index * NAME_STRIDE);
      writePointer(this.#headers, header + MSG_IOV, addressOf(vectors) + index * IOVEC_BYTES);
      this.#headers.setUint32(header + MSG_IOVLEN, 1, true);
    }
  }

  /** Where datagram `index` goes to or comes from in memory. */
  setMemory(index: number, pointer: number, length: number): void {
    const vector = index * IOVEC_BYTES;
    writePointer(this.#vectors, vector, pointer);
    this.#vectors.setUint32(vector + 8, length, true);
    this.#memory[index] = pointer;
    this.#lengths[index] = length;
  }

  /** Receives one datagram as number `index`. @returns its length, -1 if there were more bytes than fit, -2 if none came */
  receiveOne(fd: number, index: number): number {
    const name = this.#namesPointer + index * NAME_STRIDE;
    const nameLength = this.#headersPointer + index * MMSGHDR_BYTES + MSG_NAMELEN;
    const room = this.#lengths[index] ?? 0;
    const length = recvfrom(fd, this.#memory[index] ?? 0, room, MSG_DONTWAIT | MSG_TRUNC, name, nameLength);
    if (length < 0) return -2;
    return length > room ? -1 : length;
  }

  /** Sends datagram number `index`. */
  sendOne(fd: number, index: number): boolean {
    const name = this.#namesPointer + index * NAME_STRIDE;
    const nameLength = this.#headers.getUint32(index * MMSGHDR_BYTES + MSG_NAMELEN, true);
    return sendto(fd, this.#memory[index] ?? 0, this.#lengths[index] ?? 0, MSG_DONTWAIT, name, nameLength) >= 0;
  }

  /** Before receiving: the kernel writes the length of the sender's address over the room for it. */
  resetName(index: number): void {
    this.#headers.setUint32(index * MMSGHDR_BYTES + MSG_NAMELEN, SOCKADDR_BYTES, true);
  }

  /** After receiving: bytes, or -1 if there were more than fit. */
  receivedLength(index: number): number {
    const header = index * MMSGHDR_BYTES;
    if ((this.#headers.getUint32(header + MSG_FLAGS, true) & MSG_TRUNC) !== 0) return -1;
    return this.#headers.getUint32(header + MSG_LEN, true);
  }

  readName(index: number, into: TransportAddress): void {
    const names = this.#names;
    const name = index * NAME_STRIDE;
    const port = names.getUint16(name + 2, false);
    if (names.getUint16(name, true) === AF_INET) {
      into.setIPv4(names.getInt32(name + 4, false), port);
    } else {
      const at = name + 8;
      into.setWords(
        names.getInt32(at, false),
        names.getInt32(at + 4, false),
        names.getInt32(at + 8, false),
        names.getInt32(at + 12, false),
        port,
      );
    }
  }

  writeName(index: number, to: TransportAddress): void {
    const length = writeSockaddr(this.#names, index * NAME_STRIDE, to);
    this.#headers.setUint32(index * MMSGHDR_BYTES + MSG_NAMELEN, length, true);
  }
}

/** @returns its length: 16 for sockaddr_in, 28 for sockaddr_in6 */
export function writeSockaddr(view: DataView, offset: number, address: TransportAddress): 16 | 28 {
  view.setUint16(offset + 2, address.port, false);
  if (address.family === 4) {
    view.setUint16(offset, AF_INET, true);
    view.setInt32(offset + 4, address.w3, false);
    return 16;
  }
  view.setUint16(offset, AF_INET6, true);
  view.setUint32(offset + 4, 0);
  view.setInt32(offset + 8, address.w0, false);
  view.setInt32(offset + 12, address.w1, false);
  view.setInt32(offset + 16, address.w2, false);
  view.setInt32(offset + 20, address.w3, false);
  view.setUint32(offset + 24, 0);
  return 28;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** As two halves, because a BigInt for each packet would be an allocation for each packet. */
function writePointer(view: DataView, offset: number, pointer: number): void {
  view.setUint32(offset, pointer % TWO_TO_32, true);
  view.setUint32(offset + 4, Math.floor(pointer / TWO_TO_32), true);
}
