/**
 * What is inside an envelope, for the two ends alone: a JSON header, checked against the
 * schema below, and raw bytes behind it (a chunk of a voice message, otherwise none).
 */
import { z } from "zod";
import { ByteReader, ByteWriter, utf8 } from "./bytes.ts";
import { CallSignal } from "./call-signal.ts";
import { KithError } from "./errors.ts";
import { MessageId } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";

const time = z.number().int().nonnegative();

/** A text message. `sequence` numbers the sender's messages in this conversation, so that order is the sender's. */
const ChatMessage = z.strictObject({
  type: z.literal("chat"),
  messageId: MessageId,
  text: z.string().min(1).max(LIMITS.maxMessageLength),
  sentAt: time,
  sequence: time,
});

/** One piece of a voice message (Ogg Opus); its bytes follow the header, and the envelope seals them. */
const VoiceChunk = z.strictObject({
  type: z.literal("voice"),
  messageId: MessageId,
  sentAt: time,
  sequence: time,
  durationMs: z.number().int().min(1).max(LIMITS.maxVoiceMessageMs),
  index: z.number().int().nonnegative(),
  count: z
    .number()
    .int()
    .min(1)
    .max(Math.ceil(LIMITS.maxVoiceMessageBytes / LIMITS.maxChunkBytes) + 1),
});

/** The recipient's device has stored (`delivered`) or its person has seen (`read`) these messages. */
const Receipt = z.strictObject({
  type: z.literal("receipt"),
  state: z.enum(["delivered", "read"]),
  messageIds: z.array(MessageId).min(1).max(500),
});

/** The key that opens this account's sealed status; sent to every buddy once, and again when it changes. */
const ProfileKey = z.strictObject({
  type: z.literal("profile-key"),
  key: z.base64().length(44),
  version: time,
});

/** To one's own other devices: a message that this device has sent to `to`. */
const SentCopy = z.strictObject({
  type: z.literal("sent-copy"),
  to: z.string().regex(/^[0-9a-f]{40}$/),
  messageId: MessageId,
  text: z.string().min(1).max(LIMITS.maxMessageLength),
  sentAt: time,
  sequence: time,
});

const CallPayload = z.strictObject({ type: z.literal("call"), signal: CallSignal });

export const PayloadHeader = z.discriminatedUnion("type", [
  ChatMessage,
  VoiceChunk,
  Receipt,
  ProfileKey,
  SentCopy,
  CallPayload,
]);
export type PayloadHeader = z.infer<typeof PayloadHeader>;

export interface Payload {
  readonly header: PayloadHeader;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

export function encodePayload(header: PayloadHeader, bytes: Uint8Array = NO_BYTES): Uint8Array {
  return new ByteWriter()
    .bytes32(utf8(JSON.stringify(header)))
    .bytes32(bytes)
    .finish();
}

/** @throws KithError `malformed` */
export function decodePayload(plain: Uint8Array): Payload {
  const reader = new ByteReader(plain, "payload");
  const json = reader.bytes32(LIMITS.maxEnvelopeBytes);
  const bytes = reader.bytes32(LIMITS.maxChunkBytes + 64);
  reader.end();
  const parsed = PayloadHeader.safeParse(parseJson(json));
  if (!parsed.success) throw new KithError("malformed", { what: "payload" });
  return { header: parsed.data, bytes };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new KithError("malformed", { what: "payload" }, { cause: error });
  }
}
