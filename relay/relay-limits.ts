/** Every bound that a supernode sets to those who connect, and the abuse or accident that it stops. */
export const RELAY_LIMITS = {
  /** Ordinary nodes attached at once: beyond, a newcomer is sent elsewhere and nobody is dropped. */
  maxAttachments: 10_000,
  /** Newcomers between the begin of a handshake and their proof; fewer as soon as they are not served promptly (prompt-window.ts). */
  newcomersInProgress: 256,
  /**
   * Registrations and renewals of watches in progress, of all nodes: who comes with a crowd is told to come again. Many,
   * because most of them wait for other supernodes, of which some have just died; fewer as soon as they are not done promptly.
   */
  registrationsInProgress: 384,
  watchesInProgress: 384,
  /** Handshakes begun: a crowd after an outage is served at this rate, and those who are attached notice nothing. */
  newcomersPerSecond: 300,
  newcomerBurst: 600,
  /** Of those who come when it is full, so many a second get a handshake to be told where else to go; the rest an alert. */
  politeRefusalsPerSecond: 20,
  /** Connections that have proved nothing yet, of one IPv4 address or IPv6 /64 (people behind one NAT), and in all. */
  strangersPerSource: 128,
  strangers: 4_096,
  /** Requests of one node that are not answered yet. */
  nodeRequestsInFlight: 64,
  /** Requests of one node: a burst of this many, refilled at this rate. A voice message is fifty. */
  nodeRequestBurst: 400,
  nodeRequestsPerSecond: 50,
  /** The same for another supernode, which speaks for up to 10,000 nodes. */
  linkRequestsInFlight: 4_096,
  linkRequestBurst: 40_000,
  linkRequestsPerSecond: 10_000,
  /** Envelopes on their way to one device: one that reads slowly must not fill our memory. */
  deliveriesInFlight: 64,
  /** Bytes waiting for one socket: one that does not read is closed before it fills our memory. */
  nodeBacklogBytes: 8 * 1024 * 1024,
  linkBacklogBytes: 64 * 1024 * 1024,
  /** Leases or inboxes that one other supernode may watch here. */
  maxWatchesPerLink: 200_000,
} as const;

/** What a request costs of a socket's budget where that is not 1: its work for this supernode and others. */
export const REQUEST_WEIGHTS: Readonly<Record<string, number>> = {
  register: 10,
  setStatus: 5,
  lookUp: 2,
  search: 5,
  publishProfile: 20,
};
/** So many users or inboxes named in a request cost as much as one request more. */
export const NAMES_PER_WEIGHT = 50;

export type RelayLimits = { readonly [K in keyof typeof RELAY_LIMITS]: number };
