/** Sealing envelopes to one device, and opening those that are genuine. */
import nacl from "tweetnacl";
import { concatBytes, toHex, utf8 } from "../../protocol/bytes.ts";
import { decodeEnvelope, encodeEnvelope, NONCE_BYTES } from "../../protocol/envelope.ts";
import { KithError } from "../../protocol/errors.ts";
import { type DeviceAddress, MESSAGE_ID_BYTES, MessageId, type UserId } from "../../protocol/identifiers.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import { sha256 } from "../../protocol/node-crypto.ts";
import { decodePayload, encodePayload, type Payload, type PayloadHeader } from "../../protocol/payload.ts";
import { requireSignature, signBody } from "../../protocol/signed.ts";
import { type AccountKeys, appSignatures } from "../account/account-keys.ts";
import type { Clock } from "../core/clock.ts";
import type { RandomBytes } from "../core/randomness.ts";

/** The public keys that are believed of a user: the pinned ones of a buddy, or our own. */
export interface PublicKeys {
  readonly signKey: Uint8Array;
  readonly boxKey: Uint8Array;
}

export interface OpenedEnvelope extends Payload {
  readonly id: MessageId;
  readonly sender: DeviceAddress;
  readonly sentAt: number;
}

export class Envelopes {
  readonly #self: DeviceAddress;
  readonly #keys: AccountKeys;
  readonly #publicKeysOf: (userId: UserId) => PublicKeys | null;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  /** X25519 costs a hundred times what the box does, and its result is the same for all envelopes of two accounts. */
  readonly #shared = new Map<UserId, { readonly boxKey: Uint8Array; readonly secret: Uint8Array }>();

  /** @param publicKeysOf null for everybody from whom nothing is taken */
  constructor(
    self: DeviceAddress,
    keys: AccountKeys,
    publicKeysOf: (userId: UserId) => PublicKeys | null,
    clock: Clock,
    random: RandomBytes,
  ) {
    this.#self = self;
    this.#keys = keys;
    this.#publicKeysOf = publicKeysOf;
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws KithError `not-a-buddy`, `message-too-long` */
  seal(id: MessageId, recipient: DeviceAddress, header: PayloadHeader, bytes?: Uint8Array): Uint8Array {
    const keys = this.#publicKeysOf(recipient.userId);
    if (!keys) throw new KithError("not-a-buddy");
    const nonce = this.#random(NONCE_BYTES);
    const sealed = nacl.box.after(encodePayload(header, bytes), nonce, this.#sharedSecret(recipient.userId, keys));
    const body = encodeEnvelope({ id, sender: this.#self, recipient, sentAt: this.#clock.now(), nonce, sealed });
    const envelope = signBody(appSignatures, "envelope", body, this.#keys.sign.secretKey);
    if (envelope.length > LIMITS.maxEnvelopeBytes) {
      throw new KithError("message-too-long", { limit: LIMITS.maxMessageLength });
    }
    return envelope;
  }

  /**
   * Opens an envelope that is from whom the supernode stamped, to this very device, signed by
   * the sender's pinned key and of the present. Whether it was seen before is the caller's to ask.
   * @throws KithError `malformed`, `too-large`, `envelope-refused`
   */
  open(from: DeviceAddress, bytes: Uint8Array): OpenedEnvelope {
    const signed = decodeEnvelope(bytes);
    const { id, sender, recipient, sentAt, nonce, sealed } = signed.value;
    if (!sameDevice(sender, from)) throw refused("another sender than the one who brought it");
    if (!sameDevice(recipient, this.#self)) throw refused("addressed to somebody else");
    if (sameDevice(sender, this.#self)) throw refused("from this very device");
    const keys = this.#publicKeysOf(sender.userId);
    if (!keys) throw refused("not from a buddy");
    try {
      requireSignature(appSignatures, "envelope", signed, keys.signKey);
    } catch (error) {
      throw refused("not signed by its sender", error);
    }
    const now = this.#clock.now();
    if (sentAt > now + TIMES.maxClockSkewMs) throw refused("from the future");
    if (sentAt < now - TIMES.envelopeMaxAgeMs) throw refused("too old");
    const plain = nacl.box.open.after(sealed, nonce, this.#sharedSecret(sender.userId, keys));
    if (!plain) throw refused("sealed to somebody else");
    return { id, sender, sentAt, ...decodePayload(plain) };
  }

  #sharedSecret(userId: UserId, { boxKey }: PublicKeys): Uint8Array {
    const cached = this.#shared.get(userId);
    if (cached?.boxKey === boxKey) return cached.secret;
    const secret = nacl.box.before(boxKey, this.#keys.box.secretKey);
    this.#shared.set(userId, { boxKey, secret });
    return secret;
  }
}

/**
 * The ID of the envelope that carries a message (or one chunk of it) to a device: the same at
 * every retry, and different for every device, without having to be stored.
 */
export function envelopeIdFor(
  messageId: MessageId,
  sender: DeviceAddress,
  to: DeviceAddress,
  chunk: number,
): MessageId {
  const name = `${messageId} ${sender.deviceId} ${to.userId} ${to.deviceId} ${chunk}`;
  const hash = sha256(concatBytes([utf8("kith envelope id 1\0"), utf8(name)]));
  return MessageId.parse(toHex(hash.subarray(0, MESSAGE_ID_BYTES)));
}

function sameDevice(a: DeviceAddress, b: DeviceAddress): boolean {
  return a.userId === b.userId && a.deviceId === b.deviceId;
}

function refused(why: string, cause?: unknown): KithError {
  return new KithError("envelope-refused", { why }, { cause });
}
