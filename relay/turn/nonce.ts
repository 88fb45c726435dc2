/**
 * Nonces that need no memory: each carries its time and an HMAC over that time and the
 * client's transport address. A flood of requests therefore stores nothing, and a nonce
 * works for the address and port that it was given to only (RFC 8489 §9.2.4, first item).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { TransportAddress } from "./transport-address.ts";

/**
 * "obMatJos2", then the security features in base64: bit 0, "Password algorithms", alone
 * (RFC 8489 §9.2, §18.1). "Username anonymity" cannot be offered: usernames are not stored,
 * so none can be found by its hash.
 */
export const NONCE_COOKIE = "obMatJos2gAAA";

const TIME_BYTES = 4;
const MAC_BYTES = 8;
const NONCE_LENGTH = NONCE_COOKIE.length + ((TIME_BYTES + MAC_BYTES) * 8) / 6;

/** RFC 8656 §5: a nonce is to expire at least once an hour. */
export const MAX_NONCE_AGE_MS = 3_600_000;

export class NonceSource {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes, new at every start */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param nowMs of a clock that never goes back */
  issue(client: TransportAddress, nowMs: number): string {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeUInt32BE(Math.floor(nowMs / 1_000) >>> 0);
    return NONCE_COOKIE + Buffer.concat([time, this.#mac(time, client)]).toString("base64url");
  }

  /** @returns how old the nonce is, in ms; null if it was not issued here for this client */
  ageMs(nonce: string, client: TransportAddress, nowMs: number): number | null {
    if (nonce.length !== NONCE_LENGTH || !nonce.startsWith(NONCE_COOKIE)) return null;
    const bytes = Buffer.from(nonce.slice(NONCE_COOKIE.length), "base64url");
    if (bytes.length !== TIME_BYTES + MAC_BYTES) return null;
    const time = bytes.subarray(0, TIME_BYTES);
    if (!timingSafeEqual(bytes.subarray(TIME_BYTES), this.#mac(time, client))) return null;
    return Math.max(0, nowMs - time.readUInt32BE() * 1_000);
  }

  #mac(time: Uint8Array, client: TransportAddress): Buffer {
    const address = Int32Array.of(client.w0, client.w1, client.w2, client.w3, client.port);
    const mac = createHmac("sha256", this.#key).update(time).update(new Uint8Array(address.buffer)).digest();
    return mac.subarray(0, MAC_BYTES);
  }
}
