/** A range of IP addresses in CIDR notation. */
import { IPV4_MARK, TransportAddress } from "./transport-address.ts";

export class IpRange {
  readonly #base: TransportAddress;
  readonly #mask: readonly [number, number, number, number];
  /** Whether the range is one single address. */
  readonly isSingle: boolean;

  private constructor(base: TransportAddress, prefixBits: number) {
    this.#base = base;
    this.#mask = [
      maskWord(prefixBits),
      maskWord(prefixBits - 32),
      maskWord(prefixBits - 64),
      maskWord(prefixBits - 96),
    ];
    this.isSingle = prefixBits === 128;
  }

  /**
   * @param text "192.0.2.0/24", "2001:db8::/32", or one address
   * @returns null if it is none of these
   */
  static parse(text: string): IpRange | null {
    const [host = "", prefix, ...rest] = text.trim().split("/");
    if (rest.length > 0) return null;
    const base = TransportAddress.parse(host, 0);
    if (base === null) return null;
    const familyBits = base.family === 4 ? 32 : 128;
    if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return null;
    const bits = prefix === undefined ? familyBits : Number(prefix);
    return bits > familyBits ? null : new IpRange(base, bits + 128 - familyBits);
  }

  contains(address: TransportAddress): boolean {
    const [m0, m1, m2, m3] = this.#mask;
    const base = this.#base;
    return (
      ((address.w3 ^ base.w3) & m3) === 0 &&
      ((address.w2 ^ base.w2) & m2) === 0 &&
      ((address.w1 ^ base.w1) & m1) === 0 &&
      ((address.w0 ^ base.w0) & m0) === 0
    );
  }

  containsIPv4(word: number): boolean {
    const [, , m2, m3] = this.#mask;
    const base = this.#base;
    return ((word ^ base.w3) & m3) === 0 && ((IPV4_MARK ^ base.w2) & m2) === 0 && base.family === 4;
  }
}

/** The mask of one 32-bit word of which the first `bits` bits count. */
function maskWord(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}
