/**
 * What the load of a TURN server travels through: one pipe for each client, over UDP or TCP.
 * All of it is synchronous and polls, because the generator has a core to itself and must
 * not be what a measurement measures. Linux only.
 */
import koffi from "koffi";
import { BatchedUdp } from "../relay/turn/batched-udp.ts";
import { writeSockaddr } from "../relay/turn/datagram-batch.ts";
import {
  AF_INET,
  addToEpoll,
  closeDescriptor,
  EPOLL_DATA,
  EPOLL_EVENT_BYTES,
  epollWait,
  lastError,
  MSG_DONTWAIT,
  openEpoll,
} from "../relay/turn/linux-sockets.ts";
import type { TransportAddress } from "../relay/turn/transport-address.ts";
import type { UdpSocket } from "../relay/turn/udp-transport.ts";
import { Failure } from "./failure.ts";

export type MessageHandler = (packet: Buffer, start: number, end: number) => void;

/** One client's way to the server. */
export interface LoadPipe {
  onMessage: MessageHandler;
  send(packet: Buffer, start: number, end: number): void;
}

export interface LoadNetwork {
  openPipe(): LoadPipe;
  /** A socket that peers share. */
  readonly udp: BatchedUdp;
  /** Takes in all that has come. */
  receive(): void;
  close(): void;
}

export function openUdpNetwork(server: TransportAddress): LoadNetwork {
  const udp = openUdp();
  return {
    udp,
    openPipe: () => new UdpPipe(udp, server),
    receive: () => udp.receive(),
    close: () => udp.close(),
  };
}

export function openTcpNetwork(server: TransportAddress): LoadNetwork {
  const udp = openUdp();
  const streams = new TcpStreams(server);
  return {
    udp,
    openPipe: () => streams.open(),
    receive() {
      udp.receive();
      streams.receive();
    },
    close() {
      udp.close();
      streams.close();
    },
  };
}

function openUdp(): BatchedUdp {
  return new BatchedUdp({ sendFailed: () => {}, oversize: () => {} });
}

class UdpPipe implements LoadPipe {
  onMessage: MessageHandler = () => {};
  readonly #server: TransportAddress;
  readonly #socket: UdpSocket;

  constructor(udp: BatchedUdp, server: TransportAddress) {
    const local = server.clone();
    local.port = 0;
    const socket = udp.open(local, "relay", (packet, start, end) => this.onMessage(packet, start, end));
    if (socket === null) throw new Failure("No more UDP sockets to be had. Raise the limit of open files (ulimit -n).");
    this.#server = server;
    this.#socket = socket;
  }

  send(packet: Buffer, start: number, end: number): void {
    this.#socket.send(packet, start, end, this.#server);
  }
}

const libc = koffi.load(null);
const callSocket: (family: number, type: number, protocol: number) => number = libc.func(
  "int socket(int family, int type, int protocol)",
);
const callConnect: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  "int connect(int fd, const uint8_t *address, uint32_t length)",
);
const callSetsockopt: (fd: number, level: number, name: number, value: Int32Array, length: number) => number =
  libc.func("int setsockopt(int fd, int level, int name, const int32_t *value, uint32_t length)");
const callSend: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  "int64_t send(int fd, const uint8_t *bytes, size_t length, int flags)",
);
const callRecv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  "int64_t recv(int fd, uint8_t *bytes, size_t length, int flags)",
);
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const MAX_EVENTS = 256;
const CHUNK_BYTES = 64 * 1024;

class TcpStreams {
  readonly #server: TransportAddress;
  readonly #epoll = openEpoll();
  readonly #events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT_BYTES);
  readonly #pipes: TcpPipe[] = [];

  constructor(server: TransportAddress) {
    this.#server = server;
  }

  open(): TcpPipe {
    const sockaddr = Buffer.alloc(16);
    writeSockaddr(new DataView(sockaddr.buffer, sockaddr.byteOffset, 16), 0, this.#server);
    const fd = callSocket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || callConnect(fd, sockaddr, 16) !== 0) {
      throw new Failure(`Cannot connect to ${this.#server} by TCP (error ${lastError()}).`);
    }
    callSetsockopt(fd, IPPROTO_TCP, TCP_NODELAY, Int32Array.of(1), 4);
    const pipe = new TcpPipe(fd);
    addToEpoll(this.#epoll, fd, this.#pipes.push(pipe) - 1);
    return pipe;
  }

  receive(): void {
    const ready = epollWait(this.#epoll, this.#events, MAX_EVENTS, 0);
    for (let event = 0; event < ready; event++) {
      this.#pipes[this.#events.readUInt32LE(event * EPOLL_EVENT_BYTES + EPOLL_DATA)]?.receive();
    }
  }

  close(): void {
    for (const pipe of this.#pipes) closeDescriptor(pipe.fd);
    closeDescriptor(this.#epoll);
  }
}

const NOTHING = Buffer.alloc(0);

class TcpPipe implements LoadPipe {
  onMessage: MessageHandler = () => {};
  readonly fd: number;
  static readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  readonly #aligned = Buffer.alloc(2_048);
  #partial: Buffer = NOTHING;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Padded to four bytes. What does not fit the kernel's buffer at once is lost, and the stream with it: that is overload. */
  send(packet: Buffer, start: number, end: number): void {
    const length = packet.copy(this.#aligned, 0, start, end);
    const padded = (length + 3) & ~3;
    const sent = callSend(this.fd, this.#aligned, padded, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0 && sent < padded) throw new Failure("The server does not keep up with this TCP load.");
  }

  receive(): void {
    const length = Number(callRecv(this.fd, TcpPipe.#chunk, CHUNK_BYTES, MSG_DONTWAIT));
    if (length <= 0) return;
    const fresh = TcpPipe.#chunk.subarray(0, length);
    const bytes = this.#partial.length === 0 ? fresh : Buffer.concat([this.#partial, fresh]);
    let offset = 0;
    while (bytes.length - offset >= 4) {
      const isChannelData = bytes.readUInt8(offset) >> 6 === 1;
      const body = bytes.readUInt16BE(offset + 2);
      const whole = isChannelData ? 4 + ((body + 3) & ~3) : 20 + body;
      if (offset + whole > bytes.length) break;
      this.onMessage(bytes, offset, offset + (isChannelData ? 4 + body : whole));
      offset += whole;
    }
    this.#partial = offset === bytes.length ? NOTHING : Buffer.from(bytes.subarray(offset));
  }
}
