/** Builds one STUN message (RFC 8489 §5, §14). */
import { writeXorAddress } from "./stun-address.ts";
import { Attribute, REASONS, type StunErrorCode } from "./stun-attributes.ts";
import {
  fingerprintOf,
  INTEGRITY_ATTRIBUTE,
  INTEGRITY_BYTES,
  type IntegrityKind,
  integrityOf,
} from "./stun-integrity.ts";
import { MAGIC_COOKIE, STUN_HEADER_BYTES } from "./stun-message.ts";
import type { TransportAddress } from "./transport-address.ts";

/** Room for the largest message that this side builds without data; one with data says how much. */
const DEFAULT_CAPACITY = 1_024;

export class StunWriter {
  #bytes: Buffer;
  #end = STUN_HEADER_BYTES;

  /** @param transactionId 12 bytes */
  constructor(method: number, messageClass: number, transactionId: Uint8Array, capacity = DEFAULT_CAPACITY) {
    this.#bytes = Buffer.alloc(capacity);
    const methodBits = (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2);
    this.#bytes.writeUInt16BE(methodBits | ((messageClass & 1) << 4) | ((messageClass & 2) << 7), 0);
    this.#bytes.writeUInt32BE(MAGIC_COOKIE, 4);
    this.#bytes.set(transactionId, 8);
  }

  bytes(type: number, value: Uint8Array): this {
    const offset = this.#header(type, value.length);
    this.#bytes.set(value, offset);
    return this;
  }

  text(type: number, value: string): this {
    return this.bytes(type, Buffer.from(value, "utf8"));
  }

  u32(type: number, value: number): this {
    const offset = this.#header(type, 4);
    this.#bytes.writeUInt32BE(value >>> 0, offset);
    return this;
  }

  xorAddress(type: number, address: TransportAddress): this {
    const offset = this.#header(type, address.family === 4 ? 8 : 20);
    writeXorAddress(this.#bytes, offset, address, 8);
    return this;
  }

  /** ERROR-CODE (RFC 8489 §14.8). The reason is for people only, and may be left out to save bytes. */
  errorCode(code: StunErrorCode, reason: string = REASONS[code]): this {
    const phrase = Buffer.from(reason, "utf8");
    const offset = this.#header(Attribute.errorCode, 4 + phrase.length);
    this.#bytes.writeUInt8(Math.floor(code / 100), offset + 2);
    this.#bytes.writeUInt8(code % 100, offset + 3);
    this.#bytes.set(phrase, offset + 4);
    return this;
  }

  /** UNKNOWN-ATTRIBUTES (RFC 8489 §14.10). */
  unknownAttributes(types: readonly number[]): this {
    const offset = this.#header(Attribute.unknownAttributes, types.length * 2);
    for (const [index, type] of types.entries()) this.#bytes.writeUInt16BE(type, offset + index * 2);
    return this;
  }

  integrity(kind: IntegrityKind, key: Uint8Array): this {
    const attributeOffset = this.#end;
    const offset = this.#header(INTEGRITY_ATTRIBUTE[kind], INTEGRITY_BYTES[kind]);
    this.#bytes.set(integrityOf(this.#bytes, 0, attributeOffset, kind, key), offset);
    return this;
  }

  fingerprint(): this {
    const attributeOffset = this.#end;
    const offset = this.#header(Attribute.fingerprint, 4);
    this.#bytes.writeUInt32BE(fingerprintOf(this.#bytes, 0, attributeOffset), offset);
    return this;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  /** Begins an attribute; its padding stays zero. @returns where its value goes */
  #header(type: number, length: number): number {
    const offset = this.#end;
    const end = offset + 4 + ((length + 3) & ~3);
    if (end > this.#bytes.length) throw new RangeError(`a STUN message of more than ${this.#bytes.length} bytes`);
    this.#bytes.writeUInt16BE(type, offset);
    this.#bytes.writeUInt16BE(length, offset + 2);
    this.#end = end;
    this.#bytes.writeUInt16BE(end - STUN_HEADER_BYTES, 2);
    return offset + 4;
  }
}
