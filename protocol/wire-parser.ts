/**
 * How a socket.io packet travels: in exactly one WebSocket frame, its bytes included.
 * socket.io's own parser sends every byte field as a frame of its own and refuses packets
 * with more than ten of them; here the frame limit bounds the whole packet.
 *
 * A packet without bytes is a text frame: JSON `{"t":type,"n":namespace,"i":id,"d":data}`
 * (no `i` where there is none). One with bytes is a binary frame: u32 length of that JSON,
 * the JSON, then the bytes; in it `{"$bytes":[offset,length]}` stands for bytes behind it.
 *
 * Given to both ends as socket.io's option `parser`.
 */
import { EventEmitter } from "node:events";

/** Nothing that we send is deeper; a deeper frame is an attack on the stack. */
const MAX_DEPTH = 16;
const HEAD_LENGTH_BYTES = 4;
/** The only namespace that there is. */
const NAMESPACE = "/";
const BYTES = "$bytes";

/** As socket.io numbers them (protocol 5), without the two kinds for separate attachments. */
const CONNECT = 0;
const DISCONNECT = 1;
const EVENT = 2;
const ACK = 3;
const CONNECT_ERROR = 4;

export interface Packet {
  readonly type: number;
  readonly nsp: string;
  readonly data?: unknown;
  readonly id?: number | undefined;
}

export class Encoder {
  /** One frame: text, or a Buffer where the packet has bytes in it. */
  encode(packet: Packet): [string | Buffer] {
    const blobs: Uint8Array[] = [];
    const data = setBytesAside(packet.data, { blobs, length: 0 }, 0);
    const head = JSON.stringify({ t: packet.type, n: packet.nsp, i: packet.id, d: data });
    if (blobs.length === 0) return [head];
    const headBytes = Buffer.from(head);
    const headLength = Buffer.alloc(HEAD_LENGTH_BYTES);
    headLength.writeUInt32BE(headBytes.length);
    return [Buffer.concat([headLength, headBytes, ...blobs])];
  }
}

/**
 * Emits `decoded` for every packet of one connection. A frame against the rules throws, and socket.io closes the
 * connection. So does a second beginning: socket.io would make another socket of each, and nobody here means to be two.
 */
export class Decoder extends EventEmitter {
  #hasBegun = false;

  add(frame: unknown): void {
    const packet = typeof frame === "string" ? decodeText(frame) : decodeBinary(frame);
    if (packet.type === CONNECT) {
      if (this.#hasBegun) throw refusal("a second beginning");
      this.#hasBegun = true;
    }
    this.emit("decoded", packet);
  }

  /** The connection is over. Every frame is whole: nothing else is kept between two. */
  destroy(): void {
    this.#hasBegun = false;
  }
}

interface Aside {
  readonly blobs: Uint8Array[];
  length: number;
}

function setBytesAside(value: unknown, aside: Aside, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError("a packet that is nested too deeply");
  if (value instanceof Uint8Array) {
    const placeholder = { [BYTES]: [aside.length, value.length] };
    aside.blobs.push(value);
    aside.length += value.length;
    return placeholder;
  }
  if (Array.isArray(value)) return value.map((item) => setBytesAside(item, aside, depth + 1));
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    copy[key] = setBytesAside(value[key], aside, depth + 1);
  }
  return copy;
}

function decodeText(frame: string): Packet {
  return toPacket(JSON.parse(frame));
}

function decodeBinary(frame: unknown): Packet {
  if (!Buffer.isBuffer(frame) || frame.length < HEAD_LENGTH_BYTES) throw refusal("a frame without a head");
  const headEnd = HEAD_LENGTH_BYTES + frame.readUInt32BE(0);
  if (headEnd > frame.length) throw refusal("a head that is cut short");
  const packet = toPacket(JSON.parse(frame.toString("utf8", HEAD_LENGTH_BYTES, headEnd)));
  return { ...packet, data: putBytesBack(packet.data, frame.subarray(headEnd), 0) };
}

/** Bytes are views of the frame: whoever keeps them for long copies them. */
function putBytesBack(value: unknown, blobs: Buffer, depth: number): unknown {
  if (depth > MAX_DEPTH) throw refusal("a packet that is nested too deeply");
  if (Array.isArray(value)) return value.map((item) => putBytesBack(item, blobs, depth + 1));
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, BYTES)) return sliceOf(value[BYTES], blobs);
  // In place, in what was parsed a moment ago: all its keys are its own, `__proto__` too.
  for (const key of Object.keys(value)) value[key] = putBytesBack(value[key], blobs, depth + 1);
  return value;
}

function sliceOf(placeholder: unknown, blobs: Buffer): Uint8Array {
  if (!Array.isArray(placeholder)) throw refusal("bytes at no place");
  const [offset, length] = placeholder;
  if (!isCount(offset) || !isCount(length) || offset + length > blobs.length) throw refusal("bytes beyond the frame");
  return blobs.subarray(offset, offset + length);
}

function toPacket(head: unknown): Packet {
  if (!isObject(head) || head.n !== NAMESPACE) throw refusal("a head of the wrong shape");
  if (!isCount(head.t) || !isFitting(head.t, head.d)) throw refusal("data that do not fit their packet");
  const packet = { type: head.t, nsp: NAMESPACE, data: head.d };
  if (head.i === undefined) return packet;
  if (!isCount(head.i)) throw refusal("an acknowledgement's number against the rules");
  return { ...packet, id: head.i };
}

/** socket.io acts on these without looking again. */
const RESERVED_EVENTS = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "error",
  "newListener",
  "removeListener",
]);

function isFitting(type: number, data: unknown): boolean {
  switch (type) {
    case CONNECT:
      return data === undefined || isObject(data);
    case DISCONNECT:
      return data === undefined;
    case EVENT:
      return Array.isArray(data) && typeof data[0] === "string" && !RESERVED_EVENTS.has(data[0]);
    case ACK:
      return Array.isArray(data);
    case CONNECT_ERROR:
      return typeof data === "string" || isObject(data);
    default:
      return false;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refusal(why: string): Error {
  return new Error(`malformed packet: ${why}`);
}
