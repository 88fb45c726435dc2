/**
 * A wire between two interfaces, with delay, jitter and loss, in user space: not every kernel
 * has sch_netem. Run as: wire IF_A IF_B DELAY_MS JITTER_MS LOSS. The order of packets is kept.
 */
import { read, readFileSync, writeSync } from "node:fs";
import koffi from "koffi";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_PACKET = 263;
/** The state of checksums and segmentation travels along: offloaded packets would arrive with wrong sums otherwise. */
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
/** A read gives up after this, so that the process can end. */
const READ_TIMEOUT_MICROSECONDS = 500_000;
const MAX_FRAME_BYTES = 70_000;
const MAX_QUEUE = 2_000;

const libc = koffi.load(null);
const socket: (family: number, type: number, protocol: number) => number = libc.func(
  "int socket(int family, int type, int protocol)",
);
const bind: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  "int bind(int fd, const uint8_t *address, uint32_t length)",
);
const setsockopt: (fd: number, level: number, name: number, value: Int32Array, length: number) => number = libc.func(
  "int setsockopt(int fd, int level, int name, const int32_t *value, uint32_t length)",
);

/** packet(7): everything that comes in on one interface, and a way to send there. */
function openInterface(name: string): number {
  const networkOrder = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8);
  const fd = socket(AF_PACKET, SOCK_RAW, networkOrder);
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(Number(readFileSync(`/sys/class/net/${name}/ifindex`, "utf8")), 4);
  const options: [number, number, Int32Array][] = [
    [SOL_PACKET, PACKET_VNET_HDR, Int32Array.of(1)],
    [SOL_PACKET, PACKET_IGNORE_OUTGOING, Int32Array.of(1)],
    [SOL_SOCKET, SO_RCVTIMEO, Int32Array.of(0, 0, READ_TIMEOUT_MICROSECONDS, 0)],
  ];
  const failed =
    fd < 0 ||
    options.some(([level, option, value]) => setsockopt(fd, level, option, value, value.byteLength) !== 0) ||
    bind(fd, address, address.length) !== 0;
  if (failed) throw new Error(`the interface ${name} cannot be opened`);
  return fd;
}

function carry(from: number, to: number, delayMs: number, jitterMs: number, loss: number): void {
  const queue: { readonly frame: Buffer; readonly dueAt: number }[] = [];
  const buffer = Buffer.alloc(MAX_FRAME_BYTES);
  let isArmed = false;
  let lastDueAt = 0;

  function arm(ms: number): void {
    if (isArmed) return;
    isArmed = true;
    setTimeout(deliver, Math.max(0, ms));
  }

  function deliver(): void {
    isArmed = false;
    const now = performance.now();
    while (queue[0] !== undefined && queue[0].dueAt <= now) {
      const { frame } = queue.shift() as { frame: Buffer };
      try {
        writeSync(to, frame);
      } catch {
        // The interface is down, or its queue is full: the packet is lost, as on any wire.
      }
    }
    if (queue[0] !== undefined) arm(queue[0].dueAt - now);
  }

  function next(): void {
    read(from, buffer, 0, buffer.length, null, (error, length) => {
      const isLost = Math.random() < loss || queue.length >= MAX_QUEUE;
      if (error === null && length > 0 && !isLost) {
        const jitter = jitterMs * (2 * Math.random() - 1);
        lastDueAt = Math.max(lastDueAt, performance.now() + delayMs + jitter);
        queue.push({ frame: Buffer.from(buffer.subarray(0, length)), dueAt: lastDueAt });
        arm(lastDueAt - performance.now());
      }
      next();
    });
  }
  next();
}

const [a = "", b = "", delay, jitter, loss] = process.argv.slice(2);
const [fdA, fdB] = [openInterface(a), openInterface(b)];
carry(fdA, fdB, Number(delay), Number(jitter), Number(loss));
carry(fdB, fdA, Number(delay), Number(jitter), Number(loss));
process.once("SIGTERM", () => process.exit(0));
process.once("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" });
