/** What the client core needs from whoever starts it: the desktop app's shell, or a test. */
import { TIMES } from "../../protocol/limits.ts";
import type { SystemKeyStore } from "../storage/profile-key.ts";
import type { SupernodeHost } from "../supernode/supernode-host.ts";
import type { Background } from "./background.ts";
import type { NetworkClock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { FindProxy, Routes } from "./proxy.ts";
import type { RandomBytes } from "./randomness.ts";

export interface ClientOptions {
  /** The profile: created if it is not there. One running client per folder. */
  readonly dataFolder: string;
  /** How this device is called in the account's list of devices. */
  readonly deviceName: string;
  /** Proposed in the sign-in form of a fresh profile. */
  readonly defaultLoginServer: string;
  /** The operating system's key store; null where there is none. */
  readonly systemKeyStore: SystemKeyStore | null;
  readonly log: Log;
  /** ms since 1970 */
  readonly now?: () => number;
  /** As many random bytes; must be fit for keys. */
  readonly random?: RandomBytes;
  readonly fetch?: typeof fetch;
  /** The system's proxy settings; without it every connection is direct. */
  readonly findProxy?: FindProxy;
  /** Runs this computer's supernode, if its user wants one; without it there is none. */
  readonly supernodeHost?: SupernodeHost;
  /** How dear it is to guess a password. Both sign-up and sign-in must say the same; only tests say anything. */
  readonly keyStretching?: KeyStretching;
  readonly times?: Partial<ClientTimes>;
}

/** Argon2id (RFC 9106): `memory-constrained` is its second recommended choice, 64 MiB in three passes. */
export type KeyStretching =
  | "memory-constrained"
  | { readonly "argon2id-custom": { iterations: number; memory: number; parallelism: number } };

/** Times of this client alone, in ms: what both sides must agree on is in protocol/limits.ts. */
export interface ClientTimes {
  /** How long a call rings. */
  readonly ringMs: number;
  readonly connectMs: number;
  readonly reconnectMs: number;
  /** WebRTC signals of this long travel in one envelope. */
  readonly mediaBatchMs: number;
  /** A request that the home has not answered by then is a reason to feel whether it still answers anything. */
  readonly answerDueMs: number;
  /** A home that does not even answer a ping for so long is left. Longer than one that is only crowded takes. */
  readonly silenceMs: number;
  /** A new home is checked after this, one that stands against the word of the standby sooner, a proven one rarely. */
  readonly homeCheckMs: number;
  readonly homeRecheckMs: number;
  readonly homeTrustMs: number;
  /** First wait for a receipt before a message is sent again; doubles up to receiptRetryMaxMs. */
  readonly receiptRetryMs: number;
  readonly receiptRetryMaxMs: number;
  /** Heads of the key log come often: one's own chain is looked at once in this time. */
  readonly ownKeysCheckMs: number;
  /** A certificate may be younger than the log's newest epoch: looked for again after this time. */
  readonly unlistedKeyRetryMs: number;
  /** Whether the own certificate is due for renewal. */
  readonly renewalCheckMs: number;
}

export const DEFAULT_TIMES: ClientTimes = {
  ringMs: TIMES.ringMs,
  connectMs: TIMES.connectMs,
  reconnectMs: TIMES.reconnectMs,
  mediaBatchMs: 10,
  answerDueMs: 3_000,
  silenceMs: 8_000,
  homeCheckMs: 30_000,
  homeRecheckMs: 5_000,
  homeTrustMs: 30 * 60_000,
  receiptRetryMs: 5_000,
  receiptRetryMaxMs: 5 * 60_000,
  ownKeysCheckMs: 60_000,
  unlistedKeyRetryMs: 5_000,
  renewalCheckMs: 10 * 60_000,
};

/** What every part works with; nothing in the core reaches for the clock, randomness or the network itself. */
export interface Surroundings {
  readonly clock: NetworkClock;
  readonly random: RandomBytes;
  readonly fetch: typeof fetch;
  readonly routes: Routes;
  readonly keyStretching: KeyStretching;
  readonly times: ClientTimes;
  readonly log: Log;
  readonly background: Background;
}
