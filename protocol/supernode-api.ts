/**
 * The supernode's interface over socket.io: what an ordinary node may ask once it is
 * attached, what is pushed to it, and what supernodes ask each other.
 */
import { z } from "zod";
import { MAX_ELSEWHERE } from "./busy.ts";
import { bytesField, bytesUpTo, DeviceId, InboxId, SIGNATURE_BYTES, SupernodeId, UserId } from "./identifiers.ts";
import { KEY_LOG_HEAD_BYTES } from "./key-log.ts";
import { MAX_LEASE_BYTES } from "./lease.ts";
import { LIMITS } from "./limits.ts";
import { MAX_SUCCESSIONS_BYTES } from "./network-key.ts";
import { UserPresence } from "./presence.ts";
import { MAX_REPLICATION_BYTES } from "./replication-message.ts";
import { MAX_REVOCATION_LIST_BYTES } from "./revocations.ts";
import { method, Nothing } from "./rpc.ts";
import { SEARCH_LINK_METHODS, SEARCH_NODE_METHODS } from "./search-api.ts";

/** Both ends use the parser of wire-parser.ts; pinned-tls.ts has the options that connect. */
export const SUPERNODE_SOCKET_PATH = "/v1/attach";

/** STUN and TURN URLs of one supernode: each transport of each of its addresses, with room to spare. */
export const MAX_RELAY_URLS = 16;
/** RFC 7064 and RFC 7065 (section 3.1): no path, no user, and TURN's one parameter. */
export const RelayUrl = z
  .string()
  .max(300)
  .regex(/^(stun|turn|turns):(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:\d{1,5})?(\?transport=(udp|tcp))?$/);

/**
 * Where a supernode relays calls, and the right to use that for a while. No URLs: it relays
 * nothing. The credential is time-limited, so a client asks for another one before it expires.
 */
export const RelayCredentials = z.strictObject({
  urls: z.array(RelayUrl).max(MAX_RELAY_URLS),
  username: z.string().max(512),
  credential: z.string().max(512),
  /** ms since 1970 */
  expiresAt: z.number().int().nonnegative(),
});
export type RelayCredentials = z.infer<typeof RelayCredentials>;

/** Users or inboxes in one request to watch: the request then fits a frame. */
export const MAX_WATCH_BATCH = 1_000;

const certificate = bytesUpTo(LIMITS.maxCertificateBytes);
const lease = bytesUpTo(MAX_LEASE_BYTES);
const successions = bytesUpTo(MAX_SUCCESSIONS_BYTES);
const nonce = bytesField(32);
const proof = bytesField(SIGNATURE_BYTES);
const sealedStatus = bytesUpTo(LIMITS.maxSealedStatusBytes);
const envelope = bytesUpTo(LIMITS.maxEnvelopeBytes);
/** As replication-message.ts encodes it. */
const replication = z.strictObject({ message: bytesUpTo(MAX_REPLICATION_BYTES) });

/** The supernode's first words on every connection: who it says it is, and what to sign. */
export const Challenge = z.strictObject({
  protocolVersion: z.number().int(),
  nonce,
  certificate,
  /** What leads from the network's first key to the one that has signed the certificate, if that is another one. */
  networkKeys: successions.optional(),
});
export type Challenge = z.infer<typeof Challenge>;

/**
 * Mutual proof. The node signs (domain `attach`) challenge nonce + its own nonce + the
 * supernode's ID + the TLS fingerprint that it sees; the supernode answers with a
 * signature (domain `attachAnswer`) over the same bytes. A stranger between the two has
 * another TLS certificate, so neither signature fits. attach-proof.ts makes and checks them.
 */
const Proof = { protocolVersion: z.number().int(), certificate, nonce, proof };

/** Ordinary node to its supernode. All but `attach` need an attached socket. */
export const NODE_METHODS = {
  /** Fields of later versions are let through, so that their senders learn that the version is what is wrong. */
  attach: method(z.object(Proof), z.strictObject({ proof, inbox: InboxId })),
  /** Puts the device's lease into the directory. */
  register: method(z.strictObject({ lease }), Nothing),
  /** The status that watchers see, sealed. Kept by the home supernode alone, as long as the device is attached. */
  setStatus: method(z.strictObject({ sealedStatus }), Nothing),
  /** Replaces the set of users whose presence is pushed; answers with what is known now. */
  watch: method(
    z.strictObject({ userIds: z.array(UserId).max(LIMITS.maxWatchedUsers) }),
    z.strictObject({ presences: z.array(UserPresence) }),
  ),
  lookUp: method(z.strictObject({ userId: UserId }), UserPresence),
  /** `delivered`: the recipient's device has taken the envelope. Otherwise the sender keeps it. */
  send: method(
    z.strictObject({ home: SupernodeId, inbox: InboxId, envelope }),
    z.strictObject({ delivered: z.boolean() }),
  ),
  /** For a call: where this supernode relays, and a credential of the asker's own. */
  relayCredentials: method(Nothing, RelayCredentials),
  /** Whether this connection still carries anything, for those who cannot wait for the socket's own pings. */
  ping: method(Nothing, Nothing),
  ...SEARCH_NODE_METHODS,
  /** A normal exit: the device is gone now, not only when the socket closes. */
  detach: method(Nothing, Nothing),
} as const;

/** Supernode to ordinary node, without an answer. */
export const NODE_PUSHES = {
  challenge: Challenge,
  presence: UserPresence,
  /** The newest head of the key log that this supernode knows, after each attaching and whenever there is a newer one. */
  keyLogHead: z.strictObject({ head: bytesUpTo(KEY_LOG_HEAD_BYTES) }),
  /** The network has another key. */
  networkKeys: z.strictObject({ successions }),
  /** Attach elsewhere: this supernode is going away. `elsewhere` had room lately, best first. */
  goAway: z.strictObject({
    withinMs: z.number().int().nonnegative(),
    elsewhere: z.array(SupernodeId).max(MAX_ELSEWHERE),
  }),
} as const;

/** Supernode to ordinary node, with an answer. */
export const DELIVERY_METHODS = {
  /** `from` is stamped by the sender's home supernode from its authenticated socket. Answered once stored or dropped. */
  deliver: method(z.strictObject({ from: z.strictObject({ userId: UserId, deviceId: DeviceId }), envelope }), Nothing),
} as const;

/** Supernode to supernode. All but `join` need a joined link. */
export const LINK_METHODS = {
  /** As `attach`, with a supernode's certificate. */
  join: method(z.object(Proof), z.strictObject({ proof })),
  /** Stores one replica of a lease that is this supernode's to hold. */
  store: method(z.strictObject({ lease, certificate }), Nothing),
  /** The home says that a device's socket has closed. */
  markGone: method(
    z.strictObject({ userId: UserId, deviceId: DeviceId, inbox: InboxId, lastSeenAt: z.number().int().nonnegative() }),
    Nothing,
  ),
  /** The leases of a user, from this supernode's own shard. */
  find: method(
    z.strictObject({ userId: UserId }),
    z.strictObject({
      records: z
        .array(z.strictObject({ lease, lastSeenAt: z.number().int().nonnegative(), gone: z.boolean() }))
        .max(LIMITS.maxDevicesPerAccount),
    }),
  ),
  /**
   * To a holder: tell me the leases of these users (now, and at every change), and no longer of those.
   * Answered once the present leases have been pushed.
   */
  watchLeases: method(
    z.strictObject({ add: z.array(UserId).max(MAX_WATCH_BATCH), remove: z.array(UserId).max(MAX_WATCH_BATCH) }),
    Nothing,
  ),
  /** To a home: tell me how these inboxes are doing (now, and at every change), and no longer those. */
  watchInboxes: method(
    z.strictObject({ add: z.array(InboxId).max(MAX_WATCH_BATCH), remove: z.array(InboxId).max(MAX_WATCH_BATCH) }),
    Nothing,
  ),
  /** Passes on what the login server says to everybody; either may be empty. */
  tellNotices: method(
    z.strictObject({ keyLogHead: bytesUpTo(KEY_LOG_HEAD_BYTES), revocations: bytesUpTo(MAX_REVOCATION_LIST_BYTES) }),
    Nothing,
  ),
  /** Passes on what leads to the network's newest key. */
  tellNetworkKeys: method(z.strictObject({ successions }), Nothing),
  /** How many more nodes it would let attach just now: whoever is full or goes away sends its own there. */
  room: method(Nothing, z.strictObject({ nodes: z.number().int().nonnegative() })),
  ...SEARCH_LINK_METHODS,
  /** Whether this supernode takes part, for one that nobody answers by UDP. */
  standing: method(Nothing, z.strictObject({ isMember: z.boolean() })),
  /** Between holders of records when members come and go. What it leads to is told by a message of its own. */
  replicate: method(replication, Nothing),
  /** Passes an envelope to a device that is attached there. */
  route: method(
    z.strictObject({ inbox: InboxId, from: z.strictObject({ userId: UserId, deviceId: DeviceId }), envelope }),
    z.strictObject({ delivered: z.boolean() }),
  ),
} as const;

/** Supernode to supernode, without an answer. */
export const LINK_PUSHES = {
  challenge: Challenge,
  /** A watched user's lease has changed. */
  leaseChanged: z.strictObject({
    userId: UserId,
    lease,
    gone: z.boolean(),
    lastSeenAt: z.number().int().nonnegative(),
  }),
  /** A message of replication the other way, so that two supernodes need one connection for it. */
  replicated: replication,
  /** A watched inbox: its device is attached with this status, or gone. */
  inboxChanged: z.strictObject({
    inbox: InboxId,
    state: z.enum(["online", "gone"]),
    sealedStatus,
    lastSeenAt: z.number().int().nonnegative(),
  }),
} as const;
