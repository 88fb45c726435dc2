/**
 * A client over TCP or TLS (RFC 8656 §12.5, §16; RFC 8489 §6.2.2): cuts the stream into
 * STUN and ChannelData messages. Everything that a stream can do to a server is bounded
 * here: how long a message may be and take, what an unknown client may send, and how much
 * waits for one that does not read.
 */
import type { Allocation, TurnClient } from "./allocation.ts";
import { CHANNEL_HEADER_BYTES } from "./relaying.ts";
import type { StreamHandler, StreamPipe } from "./stream-transport.ts";
import { STUN_HEADER_BYTES } from "./stun-message.ts";
import type { TransportAddress } from "./transport-address.ts";
import type { Refusal } from "./turn-counters.ts";
import { MAX_DATAGRAM_BYTES } from "./udp-transport.ts";

/** One message: the largest datagram in a Send indication, with room for the other attributes. */
const MAX_MESSAGE_BYTES = MAX_DATAGRAM_BYTES + 512;
/** One message of a client without an allocation, who has no data to send: an Allocate with its credentials. */
const MAX_EARLY_MESSAGE_BYTES = 1_024;
/** From its first byte to its last. */
const MAX_MESSAGE_MS = 10_000;
/** Without an allocation: long enough to be asked for credentials and come back. */
const MAX_IDLE_MS = 20_000;
/** What waits for a client that does not read; beyond it, packets are dropped as a full queue of a router drops them. */
const MAX_BACKLOG_BYTES = 64 * 1024;

export interface StreamClientEvents {
  message(client: StreamClient, packet: Buffer, start: number, end: number): void;
  refused(refusal: Refusal): void;
  closed(client: StreamClient): void;
  /** The clock that never goes back. */
  nowMs(): number;
}

export class StreamClient implements TurnClient {
  readonly address: TransportAddress;
  readonly isStream = true;
  readonly listener = 0;
  readonly #pipe: StreamPipe;
  readonly #events: StreamClientEvents;
  #allocation: Allocation | null = null;
  /** Since when there has been no allocation. */
  #idleSinceMs: number;
  /** The beginning of a message whose rest has not come yet. */
  #partial: Buffer | null = null;
  #partialSinceMs = 0;
  #isOpen = true;

  /** @param open connects the client with its connection */
  constructor(address: TransportAddress, events: StreamClientEvents, open: (handler: StreamHandler) => StreamPipe) {
    this.address = address;
    this.#events = events;
    this.#idleSinceMs = events.nowMs();
    this.#pipe = open({
      data: (bytes, start, end) => this.#receive(bytes, start, end),
      closed: () => {
        this.#isOpen = false;
        events.closed(this);
      },
    });
  }

  get allocation(): Allocation | null {
    return this.#allocation;
  }

  set allocation(allocation: Allocation | null) {
    this.#allocation = allocation;
    if (allocation === null) this.#idleSinceMs = this.#events.nowMs();
  }

  send(packet: Buffer, start: number, end: number): void {
    if (this.#pipe.backlogBytes > MAX_BACKLOG_BYTES) this.#events.refused("tcp-backlog");
    else this.#pipe.write(packet, start, end);
  }

  /** Closes the connection if its time is up. Call about once a second. */
  sweep(nowMs: number): void {
    if (this.#partial !== null && nowMs - this.#partialSinceMs > MAX_MESSAGE_MS) this.#refuse("tcp-slow");
    else if (this.#allocation === null && nowMs - this.#idleSinceMs > MAX_IDLE_MS) this.#refuse("tcp-idle");
  }

  close(): void {
    this.#pipe.close();
  }

  #receive(fresh: Buffer, freshStart: number, freshEnd: number): void {
    if (this.#partial === null) {
      this.#keep(fresh, this.#cut(fresh, freshStart, freshEnd), freshEnd, true);
      return;
    }
    const bytes = Buffer.concat([this.#partial, fresh.subarray(freshStart, freshEnd)]);
    const offset = this.#cut(bytes, 0, bytes.length);
    this.#keep(bytes, offset, bytes.length, offset > 0);
  }

  /** Passes on every whole message. @returns where the last one ended */
  #cut(bytes: Buffer, start: number, end: number): number {
    let offset = start;
    while (offset < end && this.#isOpen) {
      const length = messageLength(bytes, offset, end);
      if (length === "no-message" || (length !== "too-early" && length > this.#maxMessageBytes())) {
        this.#refuse("tcp-frame");
        return end;
      }
      if (length === "too-early" || offset + length > end) return offset;
      this.#events.message(this, bytes, offset, offset + length);
      offset += length;
    }
    return end;
  }

  /** Keeps what has no end yet, as a copy. @param isNew whether it is the beginning of another message than before */
  #keep(bytes: Buffer, start: number, end: number, isNew: boolean): void {
    this.#partial = start < end ? Buffer.from(bytes.subarray(start, end)) : null;
    if (isNew && this.#partial !== null) this.#partialSinceMs = this.#events.nowMs();
  }

  #maxMessageBytes(): number {
    return this.#allocation === null ? MAX_EARLY_MESSAGE_BYTES : MAX_MESSAGE_BYTES;
  }

  #refuse(refusal: Refusal): void {
    this.#events.refused(refusal);
    this.close();
  }
}

/** The whole length of the message that begins at `offset`, padding included. */
function messageLength(bytes: Buffer, offset: number, end: number): number | "too-early" | "no-message" {
  const kind = bytes.readUInt8(offset) >> 6;
  if (kind > 1) return "no-message";
  if (end - offset < CHANNEL_HEADER_BYTES) return "too-early";
  const length = bytes.readUInt16BE(offset + 2);
  if (kind === 0) return length % 4 === 0 ? STUN_HEADER_BYTES + length : "no-message";
  return CHANNEL_HEADER_BYTES + ((length + 3) & ~3);
}
