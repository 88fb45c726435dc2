/** The HMAC key of the long-term credential mechanism (RFC 8489 §9.2.2, §18.5.1). */
import { createHash } from "node:crypto";

/** PASSWORD-ALGORITHM: how the password becomes a key. */
export type PasswordHash = "md5" | "sha256";

/**
 * @param realm and password ASCII, or prepared with OpaqueString (RFC 8265) by the caller
 * @returns 16 bytes for md5, 32 for sha256
 */
export function longTermKey(hash: PasswordHash, username: string, realm: string, password: string): Buffer {
  return createHash(hash).update(`${username}:${realm}:${password}`, "utf8").digest();
}
