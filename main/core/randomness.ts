/** Values drawn from the random bytes that the client was given. */
import { toHex } from "../../protocol/bytes.ts";
import { CallId, DEVICE_ID_BYTES, DeviceId, MESSAGE_ID_BYTES, MessageId } from "../../protocol/identifiers.ts";

export type RandomBytes = (length: number) => Uint8Array;

/** Uniform in [0, 1). */
export function uniform(random: RandomBytes): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32;
}

export function newDeviceId(random: RandomBytes): DeviceId {
  return DeviceId.parse(toHex(random(DEVICE_ID_BYTES)));
}

/** Names a message or an envelope. */
export function newMessageId(random: RandomBytes): MessageId {
  return MessageId.parse(toHex(random(MESSAGE_ID_BYTES)));
}

export function newCallId(random: RandomBytes): CallId {
  return CallId.parse(toHex(random(MESSAGE_ID_BYTES)));
}
