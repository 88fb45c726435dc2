/** Every time that a supernode keeps to, in milliseconds; a test passes shorter ones. */
import { TIMES } from "../protocol/limits.ts";
import { STANDING_TIMES } from "./records/holder-standing.ts";

export const RELAY_TIMES = {
  attachTimeoutMs: TIMES.attachTimeoutMs,
  pingIntervalMs: TIMES.pingIntervalMs,
  pingTimeoutMs: TIMES.pingTimeoutMs,
  /** One request to another supernode, the time to connect included. */
  linkRequestMs: 6_000,
  linkConnectMs: 4_000,
  /** A link that nobody has asked anything over for this long is closed. */
  linkIdleMs: 5 * 60_000,
  lookupHedgeMs: TIMES.lookupHedgeMs,
  /** How long the answer to a look-up or to `watch` waits for homes that are slow; what comes later is pushed. */
  presenceSettleMs: 1_500,
  /** A device that replaces its socket has this long to register anew before the older attachment is called gone. */
  reconnectGraceMs: 3_000,
  /** A device must take an envelope in this time; shorter than a link request, that in turn shorter than the sender's patience. */
  deliverMs: 5_000,
  /** Registering waits this long for slow holders, as long as one has stored the lease. */
  registerSettleMs: 2_000,
  /** Leases that a holder has missed are offered again with back-off, at least this often. */
  republishMs: 20_000,
  /** How long a home keeps telling holders that a device is gone. */
  goneNoticeMs: 10 * 60_000,
  ...STANDING_TIMES,
  /** Sweep over expired records and lapsed presences. */
  sweepMs: 60_000,
  /** The login server's list is asked for new supernodes as long as none was met. */
  listPollMs: 60_000,
  /** A start waits this long to be let in by the others. */
  decisionMs: 8_000,
  /** Outside, some are asked by TCP whether they take part this often; soon enough to begin no network of our own. */
  standingMs: 2_000,
  /** To reach a newcomer by TCP, TLS included. */
  tcpReachMs: 2_000,
  /** The newest notices of the login server are fetched, and compared with another supernode's. */
  noticesMs: 60_000,
  /** Attached nodes hear of a newer head of the key log at most this often. */
  headPushMs: 10 * 60_000,
  /** The login server hears that this supernode is there. */
  listReportMs: 10 * 60_000,
  /** Whether the own certificate is due for renewal. */
  renewalCheckMs: 10 * 60_000,
} as const;

export type RelayTimes = { readonly [K in keyof typeof RELAY_TIMES]: number };
