/** What a request is answered with, and how the answer is written (RFC 8489 §6.3, §9.2.4). */
import { Attribute, StunClass, type StunErrorCode } from "./stun-attributes.ts";
import type { IntegrityKind } from "./stun-integrity.ts";
import type { StunMessage } from "./stun-message.ts";
import { StunWriter } from "./stun-writer.ts";
import type { Refusal } from "./turn-counters.ts";

export type TurnAnswer =
  | { readonly kind: "success"; readonly write: (writer: StunWriter) => void }
  | {
      readonly kind: "error";
      readonly code: StunErrorCode;
      readonly refusal: Refusal;
      readonly unknown?: readonly number[];
    };

/** The key that an answer to an authenticated request is sealed with. */
export interface AnswerSeal {
  readonly integrity: IntegrityKind;
  readonly key: Uint8Array;
}

export function success(write: (writer: StunWriter) => void = () => {}): TurnAnswer {
  return { kind: "success", write };
}

export function failure(code: StunErrorCode, refusal: Refusal): TurnAnswer {
  return { kind: "error", code, refusal };
}

/** @param unknown the attributes that are not understood (RFC 8489 §6.3.1) */
export function unknownAttributes(unknown: readonly number[]): TurnAnswer {
  return { kind: "error", code: 420, refusal: "unknown-attribute", unknown };
}

/**
 * The bytes of an answer. A sealed one carries MESSAGE-INTEGRITY whether it is good or bad news: Chromium drops a
 * success without. One that nobody is authenticated for says as little as it can, without reason phrase and
 * fingerprint, because it may be on its way to somebody who never asked.
 */
export function encodeAnswer(request: StunMessage, answer: TurnAnswer, seal: AnswerSeal | null): Buffer {
  const messageClass = answer.kind === "success" ? StunClass.success : StunClass.error;
  const writer = new StunWriter(request.method, messageClass, request.transactionId);
  if (answer.kind === "success") {
    answer.write(writer);
  } else {
    if (seal === null) writer.errorCode(answer.code, "");
    else writer.errorCode(answer.code);
    if (answer.unknown !== undefined) writer.unknownAttributes(answer.unknown);
  }
  if (seal !== null) writer.integrity(seal.integrity, seal.key);
  if (request.has(Attribute.fingerprint) && (seal !== null || answer.kind === "success")) writer.fingerprint();
  return writer.finish();
}
