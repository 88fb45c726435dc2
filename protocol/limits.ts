/** Every limit of the protocol, with its unit and the abuse or accident that it stops. */

export const PROTOCOL_VERSION = 1;

/** Sizes, in bytes unless the name says otherwise. */
export const LIMITS = {
  /** One socket.io frame; anything larger closes the socket before it is parsed (memory floods). */
  maxFrameBytes: 128 * 1024,
  /** One envelope, sealed and signed. Larger things travel in chunks. */
  maxEnvelopeBytes: 64 * 1024,
  /** One chunk of a voice message or file inside an envelope; leaves room for the seal and the header. */
  maxChunkBytes: 48 * 1024,
  /** A text message, in UTF-16 code units as the composer counts them; 4 bytes each still fit one envelope. */
  maxMessageLength: 12_000,
  /** A whole voice message: ten minutes at 32 kbit/s. */
  maxVoiceMessageBytes: 2_400_000,
  maxVoiceMessageMs: 10 * 60_000,
  /** A greeting with a contact request, in UTF-16 code units: enough to say who one is, too short to advertise. */
  maxGreetingLength: 200,
  /** What a person writes beside their status, in UTF-16 code units. */
  maxStatusTextLength: 80,
  /** The sealed body of a lease. */
  maxSealedBodyBytes: 256,
  /** A status as sealed to buddies. */
  maxSealedStatusBytes: 512,
  /** One certificate of either kind. */
  maxCertificateBytes: 640,
  /** Members of one network's supernode list. */
  maxSupernodes: 4_000,
  /** Lines of one buddy list that are not removed: the people that a device must watch. */
  maxBuddies: 2_000,
  /** What somebody calls a buddy and sorts them under, sealed. */
  maxBuddyLabelBytes: 512,
  /** Requests that one person has open towards others: stops asking everybody there is. */
  maxRequestsSent: 100,
  /** Requests that wait for one person's answer: a crowd cannot fill their list. */
  maxRequestsReceived: 500,
  /** Devices that are signed in to one account; one more signs out the one that was away longest. */
  maxDevicesPerAccount: 16,
  /** Users that one client may watch. */
  maxWatchedUsers: 2_000,
  /** What somebody findable is called, in UTF-16 code units: a name and not a text. */
  maxDisplayNameLength: 64,
  /** The other words that they are found by. */
  maxProfileWordsLength: 120,
  /** Word beginnings of one profile: each is a place at eight supernodes, and nobody takes many more than a name has. */
  maxSearchTerms: 64,
  /** Places of earlier versions of a profile that the present one supersedes. */
  maxFormerKeys: 128,
  /** A search as it was typed, in UTF-8: longer than any name, far shorter than what would keep a supernode busy. */
  maxSearchTextBytes: 256,
  maxSearchWords: 8,
  /** People in one page of a search. */
  searchPageSize: 20,
  /** People that one search shows in all: who has not found somebody among them types more, and nobody lists everybody. */
  maxSearchResults: 100,
  /** JSON body of a request to the login server. */
  maxHttpBodyBytes: 64 * 1024,
  minPasswordLength: 8,
  maxPasswordLength: 1_024,
} as const;

/** Times, in milliseconds. */
export const TIMES = {
  /** How long a user's certificate is valid; renewed from half-life on. */
  userCertificateMs: 30 * 24 * 3_600_000,
  supernodeCertificateMs: 30 * 24 * 3_600_000,
  /** Of a supernode in a desktop app, which comes and goes: what it leaves behind is soon forgotten. */
  desktopSupernodeCertificateMs: 24 * 3_600_000,
  /** How long the list keeps it unless it says again that it is there. */
  desktopSupernodeListedMs: 6 * 3_600_000,
  /** The signed supernode list; a client refuses one older than this. */
  supernodeListMs: 30 * 24 * 3_600_000,
  /** A lease is refreshed hourly and lapses when two refreshes have failed. */
  leaseRefreshMs: 3_600_000,
  leaseValidityMs: 3 * 3_600_000,
  /** After its validity a lease is remembered with its last-seen time. */
  leaseMemoryMs: 72 * 3_600_000,
  /** A profile is issued with the beginning of a day as its time, so a day and an hour more than what is remembered. */
  profileValidityMs: (24 + 1 + 72) * 3_600_000,
  /** A planned change of the network's key is believed by itself until this long after the old key's end. */
  networkKeyFollowMs: 365 * 24 * 3_600_000,
  /** Two keys of a network are good at the same time for no longer. */
  maxNetworkKeyOverlapMs: 366 * 24 * 3_600_000,
  /** How long before it begins to sign a key may be announced. */
  maxNetworkKeyNoticeMs: 7 * 24 * 3_600_000,
  /** Signed times may be this far in the future before they are refused. */
  maxClockSkewMs: 5 * 60_000,
  /** How long a device may take to prove itself after its socket opened. */
  attachTimeoutMs: 10_000,
  /** One request over a socket. */
  requestTimeoutMs: 10_000,
  /** A look-up asks the next holder when the first has not answered in this time (hedging). */
  lookupHedgeMs: 150,
  /**
   * Socket pings: as rare as a supernode of 10,000 nodes likes them, as frequent as presence needs that is to be
   * right within 60 s of a crash that closes nothing. In a call a node asks by itself, every few seconds.
   */
  pingIntervalMs: 30_000,
  pingTimeoutMs: 20_000,
  /** Reconnecting: full jitter between 0 and the cap, which doubles from base to max. */
  backoffBaseMs: 500,
  backoffMaxMs: 30_000,
  /** An unanswered call stops ringing. */
  ringMs: 45_000,
  /** From accept to sound. */
  connectMs: 20_000,
  /** From losing the sound to giving the call up. */
  reconnectMs: 20_000,
  /** Call signals older than this say nothing about the present and are dropped (a late invitation becomes a missed call). */
  callSignalMaxAgeMs: 60_000,
  /** Envelope IDs are remembered this long against replay; older envelopes are refused by their time. */
  envelopeMaxAgeMs: 30 * 24 * 3_600_000,
} as const;

/** Replicas of a lease: losing 30 % of all supernodes at once then costs 0.007 % of the records. */
export const LEASE_REPLICAS = 8;
/** Of those, how many tell a watcher's supernode that a user has moved. */
export const WATCH_REPLICAS = 2;
/** Supernodes that a client remembers, best first. */
export const HOST_CACHE_SIZE = 200;
