/** Who is asking: the long-term credential mechanism on the server's side (RFC 8489 §9.2.4). */

import type { TurnClient } from "./allocation.ts";
import { longTermKey, type PasswordHash } from "./long-term-key.ts";
import { MAX_NONCE_AGE_MS, NONCE_COOKIE, type NonceSource } from "./nonce.ts";
import { Attribute, PasswordAlgorithm, StunClass, StunMethod } from "./stun-attributes.ts";
import { hasValidIntegrity } from "./stun-integrity.ts";
import type { StunMessage } from "./stun-message.ts";
import { StunWriter } from "./stun-writer.ts";
import type { TransportAddress } from "./transport-address.ts";
import type { AnswerSeal } from "./turn-answer.ts";
import type { Refusal } from "./turn-counters.ts";
import { turnPassword, userOfCredential } from "./turn-credential.ts";

/** Of the challenge's 100 bytes the realm may take this many. */
export const MAX_REALM_BYTES = 20;

/** PASSWORD-ALGORITHMS (RFC 8489 §14.11): SHA-256 first, because a client takes the first that it knows. */
const OFFERED_ALGORITHMS = Buffer.from([0, PasswordAlgorithm.sha256, 0, 0, 0, PasswordAlgorithm.md5, 0, 0]);

export interface AuthenticationOptions {
  /** At most MAX_REALM_BYTES. */
  readonly realm: string;
  /** The first is the one in use; the others are still taken, so that a secret can be changed. */
  readonly secrets: readonly string[];
  /** A credential that claims to last longer is refused. */
  readonly maxCredentialSeconds: number;
  /** From this age on a nonce is answered with 438, at most an hour. */
  readonly nonceLifetimeMs: number;
}

export interface Authenticated {
  readonly kind: "authenticated";
  readonly username: string;
  readonly password: string;
  readonly userId: string;
  readonly seal: AnswerSeal;
}

export type Authentication =
  | Authenticated
  /** To be asked for credentials, with a fresh nonce. */
  | { readonly kind: "challenge"; readonly code: 401 | 438; readonly refusal: Refusal }
  | { readonly kind: "bad-request" };

const CHALLENGE: Authentication = { kind: "challenge", code: 401, refusal: "unauthenticated" };
const INVALID: Authentication = { kind: "challenge", code: 401, refusal: "credential-invalid" };
const STALE: Authentication = { kind: "challenge", code: 438, refusal: "stale-nonce" };
const BAD_REQUEST: Authentication = { kind: "bad-request" };

export class Authenticator {
  readonly #options: AuthenticationOptions;
  readonly #nonces: NonceSource;

  constructor(options: AuthenticationOptions, nonces: NonceSource) {
    this.#options = options;
    this.#nonces = nonces;
  }

  /**
   * The checks of RFC 8489 §9.2.4 in its order.
   * @param wallMs ms since 1970, for the credential
   * @param nowMs of the clock that never goes back, for the nonce
   */
  authenticate(message: StunMessage, client: TurnClient, wallMs: number, nowMs: number): Authentication {
    const sha256 = message.has(Attribute.messageIntegritySha256);
    if (!sha256 && !message.has(Attribute.messageIntegrity)) return CHALLENGE;
    const username = message.text(Attribute.username);
    const nonce = message.text(Attribute.nonce);
    if (nonce === null || !message.has(Attribute.realm)) return BAD_REQUEST;
    if (username === null) return message.has(Attribute.userhash) ? INVALID : BAD_REQUEST;
    const algorithm = chosenAlgorithm(message, nonce);
    if (algorithm === null) return BAD_REQUEST;
    const account = this.#accountOf(username, client, wallMs);
    if (account === null) return INVALID;
    for (const password of account.passwords) {
      const key = longTermKey(algorithm.hash, username, this.#options.realm, password);
      if (!hasValidIntegrity(message, sha256 ? "sha256" : "sha1", key)) continue;
      const challenge = this.#checkNonce(message.method, nonce, client.address, nowMs);
      if (challenge !== null) return challenge;
      const seal = { integrity: algorithm.isExplicit ? ("sha256" as const) : ("sha1" as const), key };
      return { kind: "authenticated", username, password, userId: account.userId, seal };
    }
    return INVALID;
  }

  /** The answer that asks for credentials: 100 bytes at most, see encodeAnswer. */
  challenge(message: StunMessage, code: 401 | 438, client: TransportAddress, nowMs: number): Buffer {
    return new StunWriter(message.method, StunClass.error, message.transactionId)
      .errorCode(code, "")
      .text(Attribute.realm, this.#options.realm)
      .text(Attribute.nonce, this.#nonces.issue(client, nowMs))
      .bytes(Attribute.passwordAlgorithms, OFFERED_ALGORITHMS)
      .finish();
  }

  /** A credential's expiry counts when an allocation is made. A call may last longer, so its owner keeps the password. */
  #accountOf(username: string, client: TurnClient, wallMs: number): Account | null {
    const owner = client.allocation?.owner;
    if (owner?.username === username) return { userId: owner.userId, passwords: [owner.password] };
    const userId = userOfCredential(username, wallMs, this.#options.maxCredentialSeconds);
    if (userId === null) return null;
    return { userId, passwords: this.#options.secrets.map((secret) => turnPassword(secret, username)) };
  }

  /**
   * 438 is fatal to Chromium when it answers Allocate, so there a nonce of ours is good for its whole hour, and an
   * unknown one is challenged anew as if there had been none.
   */
  #checkNonce(method: number, nonce: string, client: TransportAddress, nowMs: number): Authentication | null {
    const ageMs = this.#nonces.ageMs(nonce, client, nowMs);
    if (method === StunMethod.allocate) return ageMs === null || ageMs > MAX_NONCE_AGE_MS ? CHALLENGE : null;
    return ageMs === null || ageMs > this.#options.nonceLifetimeMs ? STALE : null;
  }
}

interface Account {
  readonly userId: string;
  readonly passwords: readonly string[];
}

interface ChosenAlgorithm {
  readonly hash: PasswordHash;
  /** Whether the client knows of the choice: it is then answered with SHA-256 (RFC 8489 §9.2.4, last paragraph). */
  readonly isExplicit: boolean;
}

/** RFC 8489 §9.2.4, third item: both attributes or none, the list as it was sent, the choice from the list. */
function chosenAlgorithm(message: StunMessage, nonce: string): ChosenAlgorithm | null {
  const offered = message.value(Attribute.passwordAlgorithms);
  const chosen = message.value(Attribute.passwordAlgorithm);
  if (!nonce.startsWith(NONCE_COOKIE) || (offered === null && chosen === null))
    return { hash: "md5", isExplicit: false };
  if (offered === null || chosen === null || !offered.equals(OFFERED_ALGORITHMS)) return null;
  if (chosen.length !== 4 || chosen.readUInt16BE(2) !== 0) return null;
  const number = chosen.readUInt16BE(0);
  if (number === PasswordAlgorithm.sha256) return { hash: "sha256", isExplicit: true };
  return number === PasswordAlgorithm.md5 ? { hash: "md5", isExplicit: true } : null;
}
