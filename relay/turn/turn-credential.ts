/**
 * Time-limited credentials, as in "A REST API For Access To TURN Services"
 * (draft-uberti-behave-turn-rest-00 §2.2): the username is `expiry:userId`, the password
 * base64(HMAC-SHA1(secret, username)). Whoever knows the secret can check one without any
 * store, so a coturn with the same secret (`use-auth-secret`) takes them too.
 */
import { createHmac } from "node:crypto";

/** A credential is stolen with the machine it sits on; an hour bounds what the thief gets. */
export const MAX_CREDENTIAL_SECONDS = 3_600;
/** The clock of the one who issued it may be this far ahead of ours. */
const MAX_CLOCK_SKEW_SECONDS = 60;

export interface TurnCredential {
  readonly username: string;
  readonly password: string;
  /** Seconds since 1970. */
  readonly expiresAtS: number;
}

/**
 * @param nowMs ms since 1970
 * @param lifetimeS at most an hour; more is cut to it
 */
export function issueTurnCredential(
  secret: string,
  userId: string,
  nowMs: number,
  lifetimeS = MAX_CREDENTIAL_SECONDS,
): TurnCredential {
  const expiresAtS = Math.floor(nowMs / 1_000) + Math.min(lifetimeS, MAX_CREDENTIAL_SECONDS);
  const username = `${expiresAtS}:${userId}`;
  return { username, password: turnPassword(secret, username), expiresAtS };
}

export function turnPassword(secret: string, username: string): string {
  return createHmac("sha1", secret).update(username, "utf8").digest("base64");
}

/**
 * The user that a username names. Says nothing about the password.
 * @param maxSeconds how long credentials last where they are issued
 * @returns null if it is malformed, has expired, or claims to last longer than credentials do
 */
export function userOfCredential(
  username: string,
  nowMs: number,
  maxSeconds: number = MAX_CREDENTIAL_SECONDS,
): string | null {
  const parts = /^(\d{1,11}):([\x21-\x7e]{1,64})$/.exec(username);
  const [, expiry, userId] = parts ?? [];
  if (expiry === undefined || userId === undefined) return null;
  const secondsLeft = Number(expiry) - nowMs / 1_000;
  if (secondsLeft <= 0 || secondsLeft > maxSeconds + MAX_CLOCK_SKEW_SECONDS) return null;
  return userId;
}
