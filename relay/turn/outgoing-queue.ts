/** Packets on their way out, by sendmmsg, and the memory that packets lie in. */
import { DatagramBatch } from "./datagram-batch.ts";
import { addressOf, EAGAIN, lastError, MSG_DONTWAIT, sendmmsg } from "./linux-sockets.ts";
import type { TransportAddress } from "./transport-address.ts";
import { MAX_DATAGRAM_BYTES, type UdpLosses } from "./udp-transport.ts";

/** Datagrams of one system call. */
export const BATCH = 64;
/** Room before each packet for the header that it leaves with, and after it for padding. */
export const HEADROOM = 64;
const TAILROOM = 64;
export const SLOT_BYTES = HEADROOM + MAX_DATAGRAM_BYTES + TAILROOM;
export const NO_HEADERS = new Uint8Array(0);

/** Packets to be sent, in order. */
export class OutgoingQueue {
  readonly #slots: Buffer;
  readonly #slotsPointer: number;
  readonly #losses: UdpLosses;
  readonly #batch = new DatagramBatch(BATCH);
  readonly #descriptors = new Int32Array(BATCH);
  /** For packets that do not lie in a slot. */
  readonly #copies = Buffer.alloc(BATCH * SLOT_BYTES);
  readonly #copiesPointer: number;
  #length = 0;

  constructor(slots: Buffer, losses: UdpLosses) {
    this.#slots = slots;
    this.#slotsPointer = addressOf(slots);
    this.#copiesPointer = addressOf(this.#copies);
    this.#losses = losses;
  }

  add(fd: number, packet: Buffer, start: number, end: number, to: TransportAddress): void {
    if (this.#length === BATCH) this.flush();
    const index = this.#length++;
    if (packet === this.#slots) {
      this.#batch.setMemory(index, this.#slotsPointer + start, end - start);
    } else {
      const copy = index * SLOT_BYTES;
      const length = packet.copy(this.#copies, copy, start, Math.min(end, start + SLOT_BYTES));
      this.#batch.setMemory(index, this.#copiesPointer + copy, length);
    }
    this.#batch.writeName(index, to);
    this.#descriptors[index] = fd;
  }

  /** One call for each run of packets of the same socket. */
  flush(): void {
    const descriptors = this.#descriptors;
    let index = 0;
    while (index < this.#length) {
      const fd = descriptors[index] ?? -1;
      let end = index + 1;
      while (end < this.#length && descriptors[end] === fd) end++;
      this.#send(fd, index, end);
      index = end;
    }
    this.#length = 0;
  }

  #send(fd: number, first: number, end: number): void {
    if (end - first === 1) {
      if (!this.#batch.sendOne(fd, first)) this.#losses.sendFailed();
      return;
    }
    let index = first;
    while (index < end) {
      const sent = sendmmsg(fd, this.#batch.from[index] ?? NO_HEADERS, end - index, MSG_DONTWAIT);
      if (sent > 0) {
        index += sent;
      } else if (lastError() === EAGAIN) {
        // No room in the socket's buffer: the rest is dropped, as a full queue on the way drops it.
        for (; index < end; index++) this.#losses.sendFailed();
      } else {
        this.#losses.sendFailed();
        index++;
      }
    }
  }
}
