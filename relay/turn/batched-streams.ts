/**
 * Plain TCP connections on Linux by the system calls themselves. Node's streams cost a
 * packet about as much again as the kernel does: here a connection is taken away from
 * Node, its descriptor duplicated into an epoll set of our own, and each packet is one
 * recv(2) into memory that all connections share, or one send(2).
 */
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { z } from "zod";
import {
  addressOf,
  addToEpoll,
  changeInEpoll,
  closeDescriptor,
  duplicateDescriptor,
  EAGAIN,
  EPOLL_DATA,
  EPOLL_EVENT_BYTES,
  EPOLLIN,
  EPOLLOUT,
  epollWait,
  lastError,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  openEpoll,
  recv,
  removeFromEpoll,
  send,
  watchReadable,
} from "./linux-sockets.ts";
import { PortableStreams } from "./portable-streams.ts";
import type { StreamHandler, StreamPipe, StreamTransport } from "./stream-transport.ts";

const MAX_EVENTS = 256;
const READ_BYTES = 64 * 1024;
/** Room before what is read, for headers, and after it, for padding. */
const MARGIN = 64;
/** The largest message that is written, with room to spare. */
const WRITE_BYTES = 16 * 1024;

/** Node keeps a connection's descriptor here; where it does not, its streams do the work. */
const WithDescriptor = z.object({ _handle: z.object({ fd: z.number().int().nonnegative() }) });

export class BatchedStreams implements StreamTransport {
  readonly #others = new PortableStreams();
  readonly #epoll: number;
  readonly #stopWatching: () => void;
  readonly #events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT_BYTES);
  readonly #read = Buffer.alloc(MARGIN + READ_BYTES + MARGIN);
  readonly #readPointer: number;
  readonly #pipes: (BatchedPipe | null)[] = [];
  readonly #freeTokens: number[] = [];

  /** @throws an Error if the system calls are not to be had here */
  constructor() {
    this.#epoll = openEpoll();
    if (this.#epoll < 0) throw new Error(`epoll_create1 failed with error ${lastError()}`);
    this.#readPointer = addressOf(this.#read) + MARGIN;
    this.#stopWatching = watchReadable(this.#epoll, () => this.#serve());
  }

  adopt(socket: Socket, handler: StreamHandler): StreamPipe {
    const fd = takeDescriptor(socket);
    if (fd === null) return this.#others.adopt(socket, handler);
    const token = this.#freeTokens.pop() ?? this.#pipes.length;
    const pipe = new BatchedPipe(fd, handler, {
      watchWriting: (on) => changeInEpoll(this.#epoll, fd, token, on ? EPOLLIN | EPOLLOUT : EPOLLIN),
      release: () => {
        removeFromEpoll(this.#epoll, fd);
        closeDescriptor(fd);
        this.#pipes[token] = null;
        this.#freeTokens.push(token);
      },
    });
    this.#pipes[token] = pipe;
    const early: Buffer | null = socket.read();
    // The connection lives on in the duplicate.
    socket.destroy();
    if (!addToEpoll(this.#epoll, fd, token)) queueMicrotask(() => pipe.close());
    else if (early !== null) queueMicrotask(() => handler.data(early, 0, early.length));
    return pipe;
  }

  close(): void {
    for (const pipe of this.#pipes) pipe?.close();
    this.#others.close();
    this.#stopWatching();
    closeDescriptor(this.#epoll);
  }

  #serve(): void {
    const ready = epollWait(this.#epoll, this.#events, MAX_EVENTS, 0);
    for (let event = 0; event < ready; event++) {
      const at = event * EPOLL_EVENT_BYTES;
      const pipe = this.#pipes[this.#events.readUInt32LE(at + EPOLL_DATA)] ?? null;
      if (pipe === null) continue;
      const flags = this.#events.readUInt32LE(at);
      if ((flags & EPOLLOUT) !== 0) pipe.continueWriting();
      // Errors and hang-ups show in reading too.
      if ((flags & ~EPOLLOUT) !== 0) pipe.receive(this.#read, this.#readPointer);
    }
  }
}

interface PipeOwner {
  watchWriting(on: boolean): void;
  release(): void;
}

class BatchedPipe implements StreamPipe {
  readonly #fd: number;
  readonly #handler: StreamHandler;
  readonly #owner: PipeOwner;
  #unsent: Buffer | null = null;
  #isOpen = true;
  static readonly #message = Buffer.alloc(WRITE_BYTES);
  static readonly #messagePointer = addressOf(BatchedPipe.#message);

  constructor(fd: number, handler: StreamHandler, owner: PipeOwner) {
    this.#fd = fd;
    this.#handler = handler;
    this.#owner = owner;
  }

  get backlogBytes(): number {
    return this.#unsent?.length ?? 0;
  }

  write(packet: Buffer, start: number, end: number): void {
    if (!this.#isOpen) return;
    if (this.#unsent !== null) {
      this.#unsent = Buffer.concat([this.#unsent, packet.subarray(start, end)]);
      return;
    }
    const length = packet.copy(BatchedPipe.#message, 0, start, end);
    const sent = this.#send(BatchedPipe.#messagePointer, length);
    if (sent === length) return;
    this.#unsent = Buffer.from(BatchedPipe.#message.subarray(sent, length));
    this.#owner.watchWriting(true);
  }

  continueWriting(): void {
    if (this.#unsent === null || !this.#isOpen) return;
    const sent = this.#send(addressOf(this.#unsent), this.#unsent.length);
    this.#unsent = sent === this.#unsent.length ? null : this.#unsent.subarray(sent);
    if (this.#unsent === null) this.#owner.watchWriting(false);
  }

  /** Reads once: level-triggered epoll comes back for the rest when the others have had their turn. */
  receive(memory: Buffer, pointer: number): void {
    if (!this.#isOpen) return;
    const length = recv(this.#fd, pointer, READ_BYTES, MSG_DONTWAIT);
    if (length > 0) this.#handler.data(memory, MARGIN, MARGIN + length);
    else if (length === 0 || lastError() !== EAGAIN) this.close();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#unsent = null;
    this.#owner.release();
    this.#handler.closed();
  }

  /** @returns how many bytes the kernel took. A broken connection takes none, and shows when it is read. */
  #send(pointer: number, length: number): number {
    return Math.max(0, send(this.#fd, pointer, length, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
}

/** A duplicate of a plain TCP connection's descriptor, or null if this way is not open. */
function takeDescriptor(socket: Socket): number | null {
  if (!(socket instanceof Socket) || socket instanceof TLSSocket || socket.writableLength > 0) return null;
  const parsed = WithDescriptor.safeParse(socket);
  if (!parsed.success) return null;
  socket.setNoDelay(true);
  const fd = duplicateDescriptor(parsed.data._handle.fd);
  return fd < 0 ? null : fd;
}
