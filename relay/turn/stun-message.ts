/**
 * One STUN message inside a packet (RFC 8489 §5 and §14). The object is a view that is
 * decoded into again and again: nothing is copied or allocated, and it is valid only until
 * the next decode.
 */
import { Attribute, FIRST_OPTIONAL_ATTRIBUTE } from "./stun-attributes.ts";

export const STUN_HEADER_BYTES = 20;
export const MAGIC_COOKIE = 0x2112a442;
export const TRANSACTION_ID_BYTES = 12;

/** The most attributes of one message; a CreatePermission carries one for each peer. */
const MAX_ATTRIBUTES = 64;

const NONE: readonly number[] = [];

/** Why bytes are no STUN message. */
export type StunMalformation =
  | "too-short"
  | "not-stun"
  | "length-wrong"
  | "attribute-cut-short"
  | "too-many-attributes"
  | "attribute-after-fingerprint";

export class StunMessage {
  method = 0;
  messageClass = 0;
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  #count = 0;
  readonly #types = new Uint16Array(MAX_ATTRIBUTES);
  readonly #offsets = new Uint32Array(MAX_ATTRIBUTES);
  readonly #lengths = new Uint16Array(MAX_ATTRIBUTES);

  /**
   * Takes `bytes[start, end)` as one whole message.
   * @returns null if it is one; the view is undefined otherwise
   */
  decode(bytes: Buffer, start: number, end: number): StunMalformation | null {
    if (end - start < STUN_HEADER_BYTES) return "too-short";
    const type = bytes.readUInt16BE(start);
    // RFC 8489 §5: the two top bits are zero, which tells STUN from ChannelData.
    if (type >= 0x4000) return "not-stun";
    // RFC 8489 §6.3: without the cookie it is RFC 3489, which this server does not speak.
    if (bytes.readUInt32BE(start + 4) !== MAGIC_COOKIE) return "not-stun";
    const length = bytes.readUInt16BE(start + 2);
    if (length % 4 !== 0 || start + STUN_HEADER_BYTES + length !== end) return "length-wrong";
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.method = (type & 0x000f) | ((type >> 1) & 0x0070) | ((type >> 2) & 0x0f80);
    this.messageClass = ((type >> 4) & 1) | ((type >> 7) & 2);
    return this.#decodeAttributes();
  }

  #decodeAttributes(): StunMalformation | null {
    const { bytes, end } = this;
    this.#count = 0;
    let sealedBy = 0;
    let offset = this.start + STUN_HEADER_BYTES;
    while (offset < end) {
      if (offset + 4 > end) return "attribute-cut-short";
      const type = bytes.readUInt16BE(offset);
      const length = bytes.readUInt16BE(offset + 2);
      if (offset + 4 + length > end) return "attribute-cut-short";
      if (sealedBy === Attribute.fingerprint) return "attribute-after-fingerprint";
      if (countsAfter(sealedBy, type)) {
        if (this.#count === MAX_ATTRIBUTES) return "too-many-attributes";
        this.#types[this.#count] = type;
        this.#offsets[this.#count] = offset + 4;
        this.#lengths[this.#count] = length;
        this.#count++;
        if (isSeal(type)) sealedBy = type;
      }
      offset += 4 + ((length + 3) & ~3);
    }
    return null;
  }

  /** @returns the index of the first such attribute, for `offset` and `length`, or -1. Later ones do not count (RFC 8489 §14). */
  find(type: number): number {
    return this.findNext(type, 0);
  }

  /** For the one attribute that may come several times, XOR-PEER-ADDRESS. */
  findNext(type: number, from: number): number {
    for (let index = from; index < this.#count; index++) {
      if (this.#types[index] === type) return index;
    }
    return -1;
  }

  has(type: number): boolean {
    return this.find(type) >= 0;
  }

  /** Where the value begins in `bytes`. */
  offset(index: number): number {
    return this.#offsets[index] ?? 0;
  }

  length(index: number): number {
    return this.#lengths[index] ?? 0;
  }

  /** The value itself, still inside the packet; null without the attribute. */
  value(type: number): Buffer | null {
    const index = this.find(type);
    if (index < 0) return null;
    const offset = this.offset(index);
    return this.bytes.subarray(offset, offset + this.length(index));
  }

  /** The value of a text attribute; bytes that are not UTF-8 become U+FFFD, which matches no name of ours. */
  text(type: number): string | null {
    return this.value(type)?.toString("utf8") ?? null;
  }

  /** Still inside the packet. */
  get transactionId(): Buffer {
    return this.bytes.subarray(this.start + 8, this.start + STUN_HEADER_BYTES);
  }

  /** Comprehension-required attributes outside `known`, each once (RFC 8489 §6.3.1). */
  unknownRequired(known: ReadonlySet<number>): readonly number[] {
    let unknown = NONE;
    for (let index = 0; index < this.#count; index++) {
      const type = this.#types[index] ?? 0;
      if (type < FIRST_OPTIONAL_ATTRIBUTE && !known.has(type) && !unknown.includes(type)) unknown = [...unknown, type];
    }
    return unknown;
  }
}

function isSeal(type: number): boolean {
  return (
    type === Attribute.messageIntegrity || type === Attribute.messageIntegritySha256 || type === Attribute.fingerprint
  );
}

/** RFC 8489 §14.5 to §14.7: after an integrity attribute only a stronger seal counts; the rest is ignored. */
function countsAfter(seal: number, type: number): boolean {
  if (seal === Attribute.messageIntegrity) {
    return type === Attribute.messageIntegritySha256 || type === Attribute.fingerprint;
  }
  if (seal === Attribute.messageIntegritySha256) return type === Attribute.fingerprint;
  return true;
}
