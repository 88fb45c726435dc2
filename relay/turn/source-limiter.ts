/**
 * How much unauthenticated work one network may ask for: a token bucket for each source
 * prefix. Prefixes hash into a fixed number of buckets, so that a flood from invented
 * addresses costs no memory; each has two, and is refused only when both are empty, so that
 * sharing one with an attacker harms nobody.
 */
import { mix } from "./address-table.ts";
import type { TransportAddress } from "./transport-address.ts";

const BUCKETS = 4_096;

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

export class SourceLimiter {
  readonly #limit: RateLimit;
  readonly #seed: number;
  readonly #tokens: Float64Array;
  readonly #filledAtMs: Float64Array;

  /** @param seed a random 32-bit integer: nobody can choose whom to share a bucket with */
  constructor(limit: RateLimit, seed: number) {
    this.#limit = limit;
    this.#seed = seed | 0;
    this.#tokens = new Float64Array(BUCKETS).fill(limit.burst);
    this.#filledAtMs = new Float64Array(BUCKETS);
  }

  /** Takes one token of the address's prefix (/24 or /56). @returns false if there was none */
  take(source: TransportAddress, nowMs: number): boolean {
    const ipv4 = source.family === 4;
    const high = ipv4 ? source.w3 >>> 8 : source.w0;
    const low = ipv4 ? 0 : source.w1 >>> 8;
    const first = mix(mix(this.#seed ^ high) ^ low);
    const a = first & (BUCKETS - 1);
    const b = (first >>> 16) & (BUCKETS - 1);
    const left = Math.max(this.#fill(a, nowMs), this.#fill(b, nowMs));
    if (left < 1) return false;
    this.#spend(a);
    if (b !== a) this.#spend(b);
    return true;
  }

  #fill(bucket: number, nowMs: number): number {
    const elapsed = (nowMs - (this.#filledAtMs[bucket] ?? 0)) / 1_000;
    const tokens = Math.min(this.#limit.burst, (this.#tokens[bucket] ?? 0) + elapsed * this.#limit.perSecond);
    this.#tokens[bucket] = tokens;
    this.#filledAtMs[bucket] = nowMs;
    return tokens;
  }

  #spend(bucket: number): void {
    this.#tokens[bucket] = Math.max(0, (this.#tokens[bucket] ?? 0) - 1);
  }
}
