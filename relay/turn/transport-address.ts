/**
 * A transport address: IP address and port (RFC 8489 §4). The address is four signed
 * 32-bit words, with IPv4 in its mapped form ::ffff:a.b.c.d, so that comparing and hashing
 * one on the packet path costs a few integer operations and no allocation.
 */
import { isIPv4, isIPv6 } from "node:net";

/** Third word of an IPv4 address in mapped form. */
export const IPV4_MARK = 0x0000ffff;

export type AddressFamily = 4 | 6;

export class TransportAddress {
  w0 = 0;
  w1 = 0;
  w2 = IPV4_MARK;
  w3 = 0;
  port = 0;
  #host = "";

  /**
   * @param host an IPv4 or IPv6 address; a zone ("%eth0") is ignored
   * @returns null if it is neither
   */
  static parse(host: string, port: number): TransportAddress | null {
    const address = new TransportAddress();
    return address.setHost(host, port) ? address : null;
  }

  static ipv4(word: number, port: number): TransportAddress {
    const address = new TransportAddress();
    address.setIPv4(word, port);
    return address;
  }

  get family(): AddressFamily {
    return this.w2 === IPV4_MARK && this.w0 === 0 && this.w1 === 0 ? 4 : 6;
  }

  setIPv4(word: number, port: number): void {
    this.setWords(0, 0, IPV4_MARK, word, port);
  }

  setWords(w0: number, w1: number, w2: number, w3: number, port: number): void {
    this.w0 = w0 | 0;
    this.w1 = w1 | 0;
    this.w2 = w2 | 0;
    this.w3 = w3 | 0;
    this.port = port;
    this.#host = "";
  }

  /** @returns false, and changes nothing, if `host` is no address */
  setHost(host: string, port: number): boolean {
    if (isIPv4(host)) {
      this.setIPv4(ipv4Word(host), port);
    } else {
      const zone = host.indexOf("%");
      const plain = zone < 0 ? host : host.slice(0, zone);
      if (!isIPv6(plain)) return false;
      const words = ipv6Words(plain);
      this.setWords(words[0], words[1], words[2], words[3], port);
    }
    this.#host = host;
    return true;
  }

  copyFrom(other: TransportAddress): void {
    this.setWords(other.w0, other.w1, other.w2, other.w3, other.port);
    this.#host = other.#host;
  }

  /** A copy of its own, of an address that may be reused for the next packet. */
  clone(): TransportAddress {
    const copy = new TransportAddress();
    copy.copyFrom(this);
    return copy;
  }

  sameHost(other: TransportAddress): boolean {
    return this.w3 === other.w3 && this.w2 === other.w2 && this.w1 === other.w1 && this.w0 === other.w0;
  }

  equals(other: TransportAddress): boolean {
    return this.port === other.port && this.sameHost(other);
  }

  /** The address alone, as text. */
  get host(): string {
    if (this.#host === "") this.#host = this.family === 4 ? ipv4Text(this.w3) : ipv6Text(this);
    return this.#host;
  }

  toString(): string {
    return this.family === 4 ? `${this.host}:${this.port}` : `[${this.host}]:${this.port}`;
  }
}

function ipv4Word(text: string): number {
  let word = 0;
  let octet = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x2e) {
      word = (word << 8) | octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - 0x30;
    }
  }
  return (word << 8) | octet;
}

function ipv4Text(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** @param text checked by isIPv6 */
function ipv6Words(text: string): [number, number, number, number] {
  const [head = "", tail] = text.split("::");
  const front = ipv6Groups(head);
  const back = tail === undefined ? [] : ipv6Groups(tail);
  const groups = [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
  const word = (index: number) => ((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0);
  return [word(0), word(2), word(4), word(6)];
}

function ipv6Groups(text: string): number[] {
  const groups: number[] = [];
  for (const part of text === "" ? [] : text.split(":")) {
    if (part.includes(".")) {
      const word = ipv4Word(part);
      groups.push(word >>> 16, word & 0xffff);
    } else {
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** RFC 5952: lower case, the longest run of two or more zero groups shortened. */
function ipv6Text(address: TransportAddress): string {
  const groups: string[] = [];
  for (const word of [address.w0, address.w1, address.w2, address.w3]) {
    groups.push((word >>> 16).toString(16), (word & 0xffff).toString(16));
  }
  let best = { from: 0, length: 1 };
  for (let from = 0; from < 8; from++) {
    let length = 0;
    while (groups[from + length] === "0") length++;
    if (length > best.length) best = { from, length };
  }
  if (best.length === 1) return groups.join(":");
  return `${groups.slice(0, best.from).join(":")}::${groups.slice(best.from + best.length).join(":")}`;
}
