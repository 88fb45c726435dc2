/** Every decoder of the wire, fed with what an enemy or an accident may send. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, equalBytes, toHex } from "../../protocol/bytes.ts";
import {
  decodeSupernodeCertificate,
  decodeUserCertificate,
  encodeSupernodeCertificate,
  encodeUserCertificate,
} from "../../protocol/certificate.ts";
import { decodeEnvelope, encodeEnvelope, NONCE_BYTES } from "../../protocol/envelope.ts";
import {
  BOX_KEY_BYTES,
  CallId,
  DEVICE_ID_BYTES,
  DeviceId,
  Handle,
  INBOX_BYTES,
  InboxId,
  MESSAGE_ID_BYTES,
  MessageId,
  NETWORK_ID_BYTES,
  NetworkId,
  SEARCH_KEY_BYTES,
  SearchKey,
  SIGN_KEY_BYTES,
  SIGNATURE_BYTES,
  SUPERNODE_ID_BYTES,
  SupernodeId,
  USER_ID_BYTES,
  UserId,
} from "../../protocol/identifiers.ts";
import { decodeLease, encodeLease } from "../../protocol/lease.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import { decodePayload, encodePayload, type PayloadHeader } from "../../protocol/payload.ts";
import { areProfileTexts, dayOf, decodeProfile, encodeProfile, type Profile } from "../../protocol/profile.ts";
import type { Signed } from "../../protocol/signed.ts";
import { decodeSupernodeList, encodeSupernodeList } from "../../protocol/supernode-list.ts";
import { FUZZ_RUNS, FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzzing.ts";

const SEEDS = 200;

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const id = <T>(length: number, parse: (text: string) => T) => bytes(length).map((raw) => parse(toHex(raw)));
const time = fc.maxSafeNat();
const networkId = id(NETWORK_ID_BYTES, (text) => NetworkId.parse(text));
const userId = id(USER_ID_BYTES, (text) => UserId.parse(text));
const deviceId = id(DEVICE_ID_BYTES, (text) => DeviceId.parse(text));
const supernodeId = id(SUPERNODE_ID_BYTES, (text) => SupernodeId.parse(text));
const messageId = id(MESSAGE_ID_BYTES, (text) => MessageId.parse(text));
const address = fc.record({ userId, deviceId });

const userCertificate = fc.record({
  networkId,
  handle: fc.stringMatching(/^[a-z][a-z0-9._-]{2,31}$/).map((text) => Handle.parse(text)),
  userId,
  signKey: bytes(SIGN_KEY_BYTES),
  boxKey: bytes(BOX_KEY_BYTES),
  keyBinding: bytes(SIGNATURE_BYTES),
  deviceId,
  serial: time,
  issuedAt: time,
  expiresAt: time,
});
const supernodeCertificate = fc.record({
  networkId,
  supernodeId,
  signKey: bytes(SIGN_KEY_BYTES),
  tlsFingerprint: bytes(32),
  host: fc.stringMatching(/^[0-9A-Za-z:._-]{1,253}$/),
  port: fc.integer({ min: 1, max: 65_535 }),
  serial: time,
  issuedAt: time,
  expiresAt: time,
});
const lease = fc.record({
  networkId,
  userId,
  signKey: bytes(SIGN_KEY_BYTES),
  deviceId,
  home: supernodeId,
  inbox: id(INBOX_BYTES, (text) => InboxId.parse(text)),
  sequence: time,
  issuedAt: time,
  validityMs: fc.nat({ max: TIMES.leaseValidityMs }),
  sealedBody: fc.uint8Array({ maxLength: LIMITS.maxSealedBodyBytes }),
});
const envelope = fc.record({
  id: messageId,
  sender: address,
  recipient: address,
  sentAt: time,
  nonce: bytes(NONCE_BYTES),
  sealed: fc.uint8Array({ maxLength: 500 }),
});
const signedUserCertificate = userCertificate.map((certificate) =>
  decodeUserCertificate(concatBytes([encodeUserCertificate(certificate), new Uint8Array(SIGNATURE_BYTES).fill(3)])),
);
const line = fc.string({ maxLength: 20, unit: "grapheme" });
const profile: fc.Arbitrary<Profile> = fc
  .record({
    certificate: signedUserCertificate,
    texts: fc.option(
      fc.record({ displayName: line, words: line }).filter((texts) => areProfileTexts(texts)),
      { freq: 4 },
    ),
    formerKeys: fc.array(
      id(SEARCH_KEY_BYTES, (hex) => SearchKey.parse(hex)),
      { maxLength: 5 },
    ),
    sequence: time,
    issuedAt: time.map(dayOf),
  })
  .map((draft) => ({ ...draft, userId: draft.certificate.value.userId, handle: draft.certificate.value.handle }));
const text = fc.string({ minLength: 1, maxLength: 100, unit: "grapheme" });
const header: fc.Arbitrary<PayloadHeader> = fc.oneof(
  fc.record({ type: fc.constant("chat" as const), messageId, text, sentAt: time, sequence: time }),
  fc.record({
    type: fc.constant("voice" as const),
    messageId,
    sentAt: time,
    sequence: time,
    durationMs: fc.integer({ min: 1, max: LIMITS.maxVoiceMessageMs }),
    index: fc.nat(),
    count: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({
    type: fc.constant("receipt" as const),
    state: fc.constantFrom("delivered", "read"),
    messageIds: fc.array(messageId, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant("profile-key" as const),
    key: bytes(32).map((raw) => Buffer.from(raw).toString("base64")),
    version: time,
  }),
  fc.record({ type: fc.constant("sent-copy" as const), to: userId, messageId, text, sentAt: time, sequence: time }),
  fc.record({
    type: fc.constant("call" as const),
    signal: fc.record({
      kind: fc.constant("hold" as const),
      callId: id(MESSAGE_ID_BYTES, (hex) => CallId.parse(hex)),
      held: fc.boolean(),
    }),
  }),
);

interface Wire<T> {
  readonly name: string;
  readonly values: fc.Arbitrary<T>;
  encode(value: T): Uint8Array;
  decode(input: Uint8Array): T;
}

/** A decoder of signed structures, with the body as its value. */
function signed<T>(
  name: string,
  values: fc.Arbitrary<T>,
  encodeBody: (value: T) => Uint8Array,
  decode: (input: Uint8Array) => Signed<T>,
): Wire<T> {
  return {
    name,
    values,
    encode: (value) => concatBytes([encodeBody(value), new Uint8Array(SIGNATURE_BYTES).fill(9)]),
    decode: (input) => decode(input).value,
  };
}

const listEntry = supernodeCertificate.map((certificate) => {
  const body = encodeSupernodeCertificate(certificate);
  return decodeSupernodeCertificate(Uint8Array.from([...body, ...new Uint8Array(SIGNATURE_BYTES)]));
});
const supernodeList = fc.record({
  networkId,
  revision: time,
  issuedAt: time,
  expiresAt: time,
  supernodes: fc.array(listEntry, { maxLength: 4 }),
});

function holds<T>(wire: Wire<T>): void {
  describe(wire.name, () => {
    test("comes out as it went in, with one encoding only", () => {
      fc.assert(
        fc.property(wire.values, (value) => {
          const encoded = wire.encode(value);
          const decoded = wire.decode(encoded);
          expect(decoded).toEqual(value);
          expect(equalBytes(wire.encode(decoded), encoded)).toBe(true);
        }),
        { numRuns: 500 },
      );
    });

    test(
      "is refused with a code when it is not whole, or comes out as something that can be encoded again",
      () => {
        const seeds = fc.sample(wire.values, SEEDS).map((value) => wire.encode(value));
        const refused = fuzz(seeds, wire.decode, (decoded) => {
          if (!equalBytes(wire.encode(wire.decode(wire.encode(decoded))), wire.encode(decoded))) {
            throw new Error("another encoding");
          }
        });
        expect(refused).toBeGreaterThan(FUZZ_RUNS / 10);
      },
      FUZZ_TIMEOUT_MS,
    );
  });
}

holds(signed("a user certificate", userCertificate, encodeUserCertificate, decodeUserCertificate));
holds(signed("a supernode certificate", supernodeCertificate, encodeSupernodeCertificate, decodeSupernodeCertificate));
holds(signed("a lease", lease, encodeLease, decodeLease));
const encodeWholeProfile = (value: Profile) => encodeProfile({ ...value, certificate: value.certificate.bytes });
holds(signed("a profile", profile, encodeWholeProfile, decodeProfile));
holds(signed("an envelope", envelope, encodeEnvelope, decodeEnvelope));
holds(signed("a supernode list", supernodeList, encodeSupernodeList, decodeSupernodeList));
holds({
  name: "a payload",
  values: fc.record({ header, bytes: fc.uint8Array({ maxLength: 300 }) }),
  encode: ({ header: head, bytes: raw }) => encodePayload(head, raw),
  decode: decodePayload,
});

test("nothing larger than its limit is even looked at", () => {
  const huge = new Uint8Array(LIMITS.maxEnvelopeBytes + 1);
  for (const decode of [decodeEnvelope, decodeLease, decodeUserCertificate, decodeSupernodeCertificate]) {
    expect(() => decode(huge)).toThrow(expect.objectContaining({ code: "too-large" }));
  }
});
