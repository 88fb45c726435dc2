/** Numbers of STUN and TURN: methods, attributes and error codes (RFC 8489 §18, RFC 8656 §17 to §19). */

export const StunMethod = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
} as const;

/** RFC 8489 §5: the two class bits. */
export const StunClass = { request: 0, indication: 1, success: 2, error: 3 } as const;

export const Attribute = {
  mappedAddress: 0x0001,
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  evenPort: 0x0018,
  requestedTransport: 0x0019,
  dontFragment: 0x001a,
  messageIntegritySha256: 0x001c,
  passwordAlgorithm: 0x001d,
  userhash: 0x001e,
  xorMappedAddress: 0x0020,
  reservationToken: 0x0022,
  additionalAddressFamily: 0x8000,
  addressErrorCode: 0x8001,
  passwordAlgorithms: 0x8002,
  fingerprint: 0x8028,
  /** ADDITIONAL-ADDRESS-FAMILY in the drafts before RFC 8656; coturn's tools still send it. */
  draftAdditionalAddressFamily: 0x8032,
} as const;

/** Attributes from here up may be ignored when unknown (RFC 8489 §14: comprehension-optional). */
export const FIRST_OPTIONAL_ATTRIBUTE = 0x8000;

/** What this server knows of the comprehension-required range; anything else there is answered with 420. */
export const KNOWN_REQUIRED_ATTRIBUTES: ReadonlySet<number> = new Set([
  Attribute.mappedAddress,
  Attribute.username,
  Attribute.messageIntegrity,
  Attribute.errorCode,
  Attribute.unknownAttributes,
  Attribute.channelNumber,
  Attribute.lifetime,
  Attribute.xorPeerAddress,
  Attribute.data,
  Attribute.realm,
  Attribute.nonce,
  Attribute.xorRelayedAddress,
  Attribute.requestedAddressFamily,
  Attribute.evenPort,
  Attribute.requestedTransport,
  Attribute.dontFragment,
  Attribute.messageIntegritySha256,
  Attribute.passwordAlgorithm,
  Attribute.userhash,
  Attribute.xorMappedAddress,
  Attribute.reservationToken,
]);

/** Reason phrases of RFC 8489 §18.3 and RFC 8656 §19. */
export const REASONS = {
  400: "Bad Request",
  401: "Unauthenticated",
  403: "Forbidden",
  420: "Unknown Attribute",
  437: "Allocation Mismatch",
  438: "Stale Nonce",
  440: "Address Family not Supported",
  441: "Wrong Credentials",
  442: "Unsupported Transport Protocol",
  443: "Peer Address Family Mismatch",
  486: "Allocation Quota Reached",
  508: "Insufficient Capacity",
} as const;

export type StunErrorCode = keyof typeof REASONS;

/** PASSWORD-ALGORITHM numbers (RFC 8489 §18.5). */
export const PasswordAlgorithm = { md5: 1, sha256: 2 } as const;

/** REQUESTED-TRANSPORT: the IP protocol number of UDP (RFC 8656 §18.8). */
export const TRANSPORT_UDP = 17;

/** Address families on the wire (RFC 8489 §14.1). */
export const WIRE_IPV4 = 0x01;
export const WIRE_IPV6 = 0x02;
