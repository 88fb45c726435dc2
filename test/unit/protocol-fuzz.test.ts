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
import { KithError } from "../../protocol/errors.ts";
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
import type { Signed } from "../../protocol/signed.ts";
import { decodeSupernodeList, encodeSupernodeList } from "../../protocol/supernode-list.ts";

const RUNS = 10_000;

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

/** Bytes as they may arrive: flipped, cut, grown, repeated, with lengths that lie. */
function mutated(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    kind: fc.constantFrom("flip", "set", "cut", "insert", "repeat"),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    value: fc.nat({ max: 255 }),
  });
  return fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 4 })).map(([start, changes]) =>
    changes.reduce((input, { kind, at, value }) => {
      const place = Math.floor(at * input.length);
      const copy = Uint8Array.from(input);
      if (kind === "flip") copy[place] = (copy[place] ?? 0) ^ (1 << (value & 7));
      else if (kind === "set") copy[place] = [0, 1, 0x7f, 0x80, 0xff, value][value % 6] ?? value;
      else if (kind === "cut") return copy.subarray(0, place);
      else if (kind === "insert") return Uint8Array.from([...copy.subarray(0, place), value, ...copy.subarray(place)]);
      else return Uint8Array.from([...copy, ...copy.subarray(place)]);
      return copy;
    }, start),
  );
}

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

    test("is refused with a code when it is not whole, or comes out as something that can be encoded again", () => {
      const inputs = fc.oneof(
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 1_000 }) },
        { weight: 4, arbitrary: mutated(wire.values.map((value) => wire.encode(value))) },
      );
      let refused = 0;
      fc.assert(
        fc.property(inputs, (input) => {
          let decoded: T;
          try {
            decoded = wire.decode(input);
          } catch (error) {
            expect(error).toBeInstanceOf(KithError);
            expect(["malformed", "too-large"]).toContain((error as KithError).code);
            refused++;
            return;
          }
          expect(wire.decode(wire.encode(decoded))).toEqual(decoded);
        }),
        { numRuns: RUNS },
      );
      expect(refused).toBeGreaterThan(RUNS / 10);
    });
  });
}

holds(signed("a user certificate", userCertificate, encodeUserCertificate, decodeUserCertificate));
holds(signed("a supernode certificate", supernodeCertificate, encodeSupernodeCertificate, decodeSupernodeCertificate));
holds(signed("a lease", lease, encodeLease, decodeLease));
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
