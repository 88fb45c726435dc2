/**
 * UDP on Linux in batches. All sockets are in one epoll set, which Node's event loop watches
 * as one descriptor. When it wakes, ready sockets are drained by recvmmsg into slots, each
 * packet is worked on where it lies, and what is to be sent is queued as pointers into the
 * slots and leaves by sendmmsg: to clients, many packets with one call. No packet is copied
 * and none allocates.
 */
import { DatagramBatch, writeSockaddr } from "./datagram-batch.ts";
import {
  AF_INET,
  AF_INET6,
  addressOf,
  addToEpoll,
  bindSocket,
  closeDescriptor,
  EPOLL_DATA,
  EPOLL_EVENT_BYTES,
  epollWait,
  lastError,
  MSG_DONTWAIT,
  openEpoll,
  openUdpSocket,
  recvmmsg,
  removeFromEpoll,
  setDontFragment,
  setSocketBuffers,
  watchReadable,
} from "./linux-sockets.ts";
import { BATCH, HEADROOM, NO_HEADERS, OutgoingQueue, SLOT_BYTES } from "./outgoing-queue.ts";
import { LISTEN_BUFFER_BYTES } from "./portable-udp.ts";
import { TransportAddress } from "./transport-address.ts";
import {
  type DatagramHandler,
  MAX_DATAGRAM_BYTES,
  type UdpLosses,
  type UdpPurpose,
  type UdpSocket,
  type UdpTransport,
} from "./udp-transport.ts";

const MAX_EVENTS = 256;
/** After this many packets the event loop gets its turn for everything else; what waits wakes it again at once. */
const PACKETS_PER_TURN = 1_024;

export class BatchedUdp implements UdpTransport {
  readonly kind = "batched";
  readonly canForbidFragments = true;
  readonly #losses: UdpLosses;
  readonly #epoll: number;
  readonly #stopWatching: () => void;
  readonly #events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT_BYTES);
  readonly #sockets: (BatchedSocket | null)[] = [];
  readonly #freeTokens: number[] = [];
  readonly #slots = Buffer.alloc(BATCH * SLOT_BYTES);
  readonly #received = new DatagramBatch(BATCH);
  readonly #sender = new TransportAddress();
  readonly #outgoing: OutgoingQueue;
  #isCollecting = false;

  /** @throws an Error if the system calls are not to be had here */
  constructor(losses: UdpLosses) {
    this.#losses = losses;
    this.#epoll = openEpoll();
    if (this.#epoll < 0) throw new Error(`epoll_create1 failed with error ${lastError()}`);
    this.#outgoing = new OutgoingQueue(this.#slots, losses);
    const slots = addressOf(this.#slots);
    for (let index = 0; index < BATCH; index++) {
      this.#received.setMemory(index, slots + index * SLOT_BYTES + HEADROOM, MAX_DATAGRAM_BYTES);
      this.#received.resetName(index);
    }
    this.#stopWatching = watchReadable(this.#epoll, () => this.receive());
  }

  open(address: TransportAddress, purpose: UdpPurpose, handler: DatagramHandler): UdpSocket | null {
    const fd = openUdpSocket(address.family === 4 ? AF_INET : AF_INET6);
    if (fd < 0) return null;
    const bound = bindTo(fd, address);
    const token = this.#freeTokens.pop() ?? this.#sockets.length;
    if (bound === null || !addToEpoll(this.#epoll, fd, token)) {
      this.#freeTokens.push(token);
      closeDescriptor(fd);
      return null;
    }
    if (purpose === "listen") setSocketBuffers(fd, LISTEN_BUFFER_BYTES);
    // RFC 8656 §14: without DONT-FRAGMENT the bit is not set.
    if (purpose === "relay" && address.family === 4) setDontFragment(fd, false);
    const socket = new BatchedSocket(this, fd, token, bound, purpose, handler);
    this.#sockets[token] = socket;
    return socket;
  }

  close(): void {
    for (const socket of this.#sockets) socket?.close();
    this.#stopWatching();
    closeDescriptor(this.#epoll);
  }

  /** What `work` sends leaves together, when it is done. */
  together(work: () => void): void {
    this.#isCollecting = true;
    try {
      work();
    } finally {
      this.#outgoing.flush();
      this.#isCollecting = false;
    }
  }

  /** Takes in what has come. The event loop does this by itself; a program that does not return to it must. */
  receive(): void {
    this.together(this.#drain);
  }

  /** Queues a packet; outside of `together` it leaves at once. */
  send(fd: number, packet: Buffer, start: number, end: number, to: TransportAddress): void {
    this.#outgoing.add(fd, packet, start, end, to);
    if (!this.#isCollecting) this.#outgoing.flush();
  }

  /** The bit belongs to the socket, so the packets that are queued before this one must leave first. */
  sendUnfragmented(fd: number, packet: Buffer, start: number, end: number, to: TransportAddress): void {
    this.#outgoing.flush();
    setDontFragment(fd, true);
    this.#outgoing.add(fd, packet, start, end, to);
    this.#outgoing.flush();
    setDontFragment(fd, false);
  }

  release(fd: number, token: number): void {
    // What is queued on the descriptor must leave before its number can mean another socket.
    this.#outgoing.flush();
    removeFromEpoll(this.#epoll, fd);
    closeDescriptor(fd);
    this.#sockets[token] = null;
    this.#freeTokens.push(token);
  }

  readonly #drain = (): void => {
    let budget = PACKETS_PER_TURN;
    while (budget > 0) {
      const ready = epollWait(this.#epoll, this.#events, MAX_EVENTS, 0);
      if (ready <= 0) return;
      budget -= this.#receiveFrom(ready, budget);
    }
  };

  /** Receives once from each socket that is ready. @returns how many packets came, and at least 1 */
  #receiveFrom(ready: number, budget: number): number {
    let received = 0;
    let slot = 0;
    for (let event = 0; event < ready && received < budget; event++) {
      const socket = this.#sockets[this.#events.readUInt32LE(event * EPOLL_EVENT_BYTES + EPOLL_DATA)];
      // Closed by a packet of this very turn.
      if (socket === null || socket === undefined) continue;
      const isBusy = socket.purpose === "listen";
      if (slot === BATCH || (isBusy && slot > 0)) {
        this.#outgoing.flush();
        slot = 0;
      }
      const count = isBusy ? this.#receiveBatch(socket) : this.#receiveOne(socket, slot);
      slot += count;
      received += count;
    }
    this.#outgoing.flush();
    return Math.max(1, received);
  }

  /** Into all slots, none of which may be queued for sending. @returns how many packets came */
  #receiveBatch(socket: BatchedSocket): number {
    const count = recvmmsg(socket.fd, this.#received.from[0] ?? NO_HEADERS, BATCH, MSG_DONTWAIT, null);
    for (let slot = 0; slot < count; slot++) this.#handle(socket, slot, this.#received.receivedLength(slot));
    return Math.max(0, count);
  }

  /**
   * From a relay socket, which has one call's packets, so that a batch would mostly be one. Taking one from each in
   * turn is also what keeps a flood at one relayed port from delaying the others.
   */
  #receiveOne(socket: BatchedSocket, slot: number): number {
    const length = this.#received.receiveOne(socket.fd, slot);
    if (length === -2) return 0;
    this.#handle(socket, slot, length);
    return 1;
  }

  #handle(socket: BatchedSocket, slot: number, length: number): void {
    this.#received.readName(slot, this.#sender);
    this.#received.resetName(slot);
    const start = slot * SLOT_BYTES + HEADROOM;
    // An earlier packet of the batch may have closed the socket.
    if (!socket.isOpen) return;
    if (length < 0) this.#losses.oversize();
    else socket.handler(this.#slots, start, start + length, this.#sender);
  }
}

class BatchedSocket implements UdpSocket {
  readonly address: TransportAddress;
  readonly fd: number;
  readonly purpose: UdpPurpose;
  readonly handler: DatagramHandler;
  readonly #transport: BatchedUdp;
  readonly #token: number;
  isOpen = true;

  constructor(
    transport: BatchedUdp,
    fd: number,
    token: number,
    address: TransportAddress,
    purpose: UdpPurpose,
    handler: DatagramHandler,
  ) {
    this.#transport = transport;
    this.fd = fd;
    this.#token = token;
    this.address = address;
    this.purpose = purpose;
    this.handler = handler;
  }

  send(packet: Buffer, start: number, end: number, to: TransportAddress): void {
    if (this.isOpen) this.#transport.send(this.fd, packet, start, end, to);
  }

  sendUnfragmented(packet: Buffer, start: number, end: number, to: TransportAddress): void {
    if (this.isOpen) this.#transport.sendUnfragmented(this.fd, packet, start, end, to);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#transport.release(this.fd, this.#token);
  }
}

function bindTo(fd: number, address: TransportAddress): TransportAddress | null {
  const sockaddr = Buffer.alloc(address.family === 4 ? 16 : 28);
  writeSockaddr(new DataView(sockaddr.buffer, sockaddr.byteOffset, sockaddr.length), 0, address);
  if (!bindSocket(fd, sockaddr)) return null;
  const bound = address.clone();
  bound.setWords(address.w0, address.w1, address.w2, address.w3, sockaddr.readUInt16BE(2));
  return bound;
}
