/** An envelope: one sealed, signed message from one device to another. */
import { ByteWriter, fromHex } from "./bytes.ts";
import { DEVICE_ID_BYTES, type DeviceAddress, MESSAGE_ID_BYTES, type MessageId, USER_ID_BYTES } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { readDeviceId, readMessageId, readUserId } from "./raw-identifiers.ts";
import { decodeSigned, type Signed } from "./signed.ts";

const ENVELOPE = 5;
const FORMAT_VERSION = 1;
export const NONCE_BYTES = 24;

export interface Envelope {
  /** Unique for ever: the recipient drops what it has seen. A retry keeps its ID. */
  readonly id: MessageId;
  readonly sender: DeviceAddress;
  readonly recipient: DeviceAddress;
  readonly sentAt: number;
  readonly nonce: Uint8Array;
  /** NaCl box (X25519, XSalsa20-Poly1305) of a payload (payload.ts). */
  readonly sealed: Uint8Array;
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return new ByteWriter()
    .u8(ENVELOPE)
    .u8(FORMAT_VERSION)
    .fixed(fromHex(envelope.id), MESSAGE_ID_BYTES)
    .fixed(fromHex(envelope.sender.userId), USER_ID_BYTES)
    .fixed(fromHex(envelope.sender.deviceId), DEVICE_ID_BYTES)
    .fixed(fromHex(envelope.recipient.userId), USER_ID_BYTES)
    .fixed(fromHex(envelope.recipient.deviceId), DEVICE_ID_BYTES)
    .u64(envelope.sentAt)
    .fixed(envelope.nonce, NONCE_BYTES)
    .bytes32(envelope.sealed)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. The signature (domain `envelope`) is the opener's to check. */
export function decodeEnvelope(bytes: Uint8Array): Signed<Envelope> {
  return decodeSigned(bytes, "envelope", LIMITS.maxEnvelopeBytes, (reader) => {
    if (reader.u8() !== ENVELOPE) throw reader.refuse("another kind of structure");
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const id = readMessageId(reader);
    const address = (): DeviceAddress => ({
      userId: readUserId(reader),
      deviceId: readDeviceId(reader),
    });
    return {
      id,
      sender: address(),
      recipient: address(),
      sentAt: reader.u64(),
      nonce: reader.fixed(NONCE_BYTES),
      sealed: reader.bytes32(LIMITS.maxEnvelopeBytes),
    };
  });
}
