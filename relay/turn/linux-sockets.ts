/**
 * The Linux system calls that Node has no door to, called in the C library through koffi:
 * many datagrams with one recvmmsg(2) or sendmmsg(2), and one epoll(7) set for all sockets.
 * Numbers and layouts are those of 64-bit little-endian Linux (x64 and arm64, glibc and musl).
 */
import koffi from "koffi";

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;
const F_DUPFD_CLOEXEC = 1030;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DONT = 0;
const IP_PMTUDISC_DO = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const MSG_NOSIGNAL = 0x4000;
export const EAGAIN = 11;

/** sockaddr_in6, the larger of the two; both in the same room. */
export const SOCKADDR_BYTES = 28;
/** struct iovec: base, length. */
export const IOVEC_BYTES = 16;
/** struct mmsghdr: msghdr of 56 bytes, the received length, padding. */
export const MMSGHDR_BYTES = 64;
/** Offsets in it. */
export const MSG_NAME = 0;
export const MSG_NAMELEN = 8;
export const MSG_IOV = 16;
export const MSG_IOVLEN = 24;
export const MSG_FLAGS = 48;
export const MSG_LEN = 56;
/** struct epoll_event is packed on x64 only. */
export const EPOLL_EVENT_BYTES = process.arch === "x64" ? 12 : 16;
export const EPOLL_DATA = process.arch === "x64" ? 4 : 8;

const libc = koffi.load(null);

const callSocket: (family: number, type: number, protocol: number) => number = libc.func(
  "int socket(int family, int type, int protocol)",
);
const callBind: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  "int bind(int fd, const uint8_t *address, uint32_t length)",
);
const callGetsockname: (fd: number, address: Uint8Array, length: Uint32Array) => number = libc.func(
  "int getsockname(int fd, uint8_t *address, uint32_t *length)",
);
const callSetsockopt: (fd: number, level: number, name: number, value: Int32Array, length: number) => number =
  libc.func("int setsockopt(int fd, int level, int name, const int32_t *value, uint32_t length)");
const callEpollCreate: (flags: number) => number = libc.func("int epoll_create1(int flags)");
const callEpollCtl: (epoll: number, operation: number, fd: number, event: Uint8Array) => number = libc.func(
  "int epoll_ctl(int epoll, int operation, int fd, const uint8_t *event)",
);

/** @returns how many descriptors are ready, or -1 */
export const epollWait: (epoll: number, events: Uint8Array, count: number, timeoutMs: number) => number = libc.func(
  "int epoll_wait(int epoll, uint8_t *events, int count, int timeoutMs)",
);
/** @returns how many datagrams came, or -1. The timeout is a null pointer. */
export const recvmmsg: (fd: number, headers: Uint8Array, count: number, flags: number, timeout: null) => number =
  libc.func("int recvmmsg(int fd, uint8_t *headers, uint32_t count, int flags, void *timeout)");
/** @returns how many datagrams went, or -1 if the first one failed */
export const sendmmsg: (fd: number, headers: Uint8Array, count: number, flags: number) => number = libc.func(
  "int sendmmsg(int fd, uint8_t *headers, uint32_t count, int flags)",
);
/**
 * One datagram, with pointers as plain numbers: half the price of a batch of one.
 * @returns its length, with MSG_TRUNC even of one that did not fit, or -1
 */
export const recvfrom: (
  fd: number,
  memory: number,
  room: number,
  flags: number,
  name: number,
  nameLength: number,
) => number = libc.func(
  "int64_t recvfrom(int fd, uint64_t memory, uint64_t room, int flags, uint64_t name, uint64_t nameLength)",
);
/** @returns its length, or -1 */
export const sendto: (
  fd: number,
  memory: number,
  length: number,
  flags: number,
  name: number,
  nameLength: number,
) => number = libc.func(
  "int64_t sendto(int fd, uint64_t memory, uint64_t length, int flags, uint64_t name, uint32_t nameLength)",
);
/** Into or from a stream. @returns bytes, 0 at the end of what is read, or -1 */
export const recv: (fd: number, memory: number, room: number, flags: number) => number = libc.func(
  "int64_t recv(int fd, uint64_t memory, uint64_t room, int flags)",
);
export const send: (fd: number, memory: number, length: number, flags: number) => number = libc.func(
  "int64_t send(int fd, uint64_t memory, uint64_t length, int flags)",
);
const callFcntl: (fd: number, command: number, argument: number) => number = libc.func(
  "int fcntl(int fd, int command, int argument)",
);
export const closeDescriptor: (fd: number) => number = libc.func("close", "int", ["int"]);

/** The error number of the last call. */
export function lastError(): number {
  return koffi.errno();
}

/** Where the bytes of a buffer lie in memory: for as long as the buffer is referenced, V8 moves none of more than 64 bytes. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes));
}

/** Calls back whenever the descriptor is readable, from the event loop. @returns how to stop */
export function watchReadable(fd: number, onReadable: () => void): () => void {
  const handle = koffi.node.poll(fd, { readable: true }, onReadable);
  const stop = () => {
    process.off("exit", stop);
    handle.close();
  };
  // A packet that comes while the process is being taken down would be a call into an engine that is gone.
  process.on("exit", stop);
  return stop;
}

/** A non-blocking UDP socket of IPv4 (2) or, and then alone, IPv6 (10). @returns -1 if there is none to be had */
export function openUdpSocket(family: number): number {
  const fd = callSocket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

/** @param address a sockaddr of its family's length, overwritten with the address that was bound */
export function bindSocket(fd: number, address: Uint8Array): boolean {
  if (callBind(fd, address, address.length) !== 0) return false;
  return callGetsockname(fd, address, Uint32Array.of(address.length)) === 0;
}

/** The kernel cuts both to its own limits. */
export function setSocketBuffers(fd: number, bytes: number): void {
  setOption(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  setOption(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

/** Whether IPv4 packets of the socket carry the "don't fragment" bit. */
export function setDontFragment(fd: number, on: boolean): void {
  setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
}

/** @returns -1 if there is none to be had */
export function openEpoll(): number {
  return callEpollCreate(EPOLL_CLOEXEC);
}

/** Wakes when `fd` can be read; events name it by `token`. */
export function addToEpoll(epoll: number, fd: number, token: number): boolean {
  return callEpollCtl(epoll, EPOLL_CTL_ADD, fd, epollEvent(EPOLLIN, token)) === 0;
}

/** @param flags EPOLLIN, EPOLLOUT */
export function changeInEpoll(epoll: number, fd: number, token: number, flags: number): void {
  callEpollCtl(epoll, EPOLL_CTL_MOD, fd, epollEvent(flags, token));
}

export function removeFromEpoll(epoll: number, fd: number): void {
  callEpollCtl(epoll, EPOLL_CTL_DEL, fd, Buffer.alloc(EPOLL_EVENT_BYTES));
}

/** Another descriptor of the same socket. @returns -1 if there is none to be had */
export function duplicateDescriptor(fd: number): number {
  return callFcntl(fd, F_DUPFD_CLOEXEC, 0);
}

function epollEvent(flags: number, token: number): Buffer {
  const event = Buffer.alloc(EPOLL_EVENT_BYTES);
  event.writeUInt32LE(flags, 0);
  event.writeUInt32LE(token, EPOLL_DATA);
  return event;
}

function setOption(fd: number, level: number, name: number, value: number): void {
  callSetsockopt(fd, level, name, Int32Array.of(value), 4);
}
