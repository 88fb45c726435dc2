/** What the four TURN requests have in common (RFC 8656 §5). */
import type { Allocation, TurnClient } from "./allocation.ts";
import type { Allocations } from "./allocations.ts";
import type { PeerPolicy } from "./peer-policy.ts";
import type { QuotaBook } from "./quota-book.ts";
import type { RelayPorts } from "./relay-ports.ts";
import { Attribute, WIRE_IPV4, WIRE_IPV6 } from "./stun-attributes.ts";
import type { StunMessage } from "./stun-message.ts";
import type { AddressFamily, TransportAddress } from "./transport-address.ts";
import { failure, type TurnAnswer } from "./turn-answer.ts";
import type { Authenticated } from "./turn-authentication.ts";
import type { TurnCounters } from "./turn-counters.ts";

/** The parts of the server that requests work on. */
export interface TurnServices {
  readonly allocations: Allocations;
  readonly ports: RelayPorts;
  readonly policy: PeerPolicy;
  readonly quotas: QuotaBook;
  readonly counters: TurnCounters;
  readonly canForbidFragments: boolean;
  /** The quota key of a source address. */
  sourceKey(address: TransportAddress): string;
}

/** An authenticated request. */
export interface TurnRequest {
  readonly message: StunMessage;
  readonly client: TurnClient;
  readonly asker: Authenticated;
  readonly nowMs: number;
}

/** The allocation that a request is about: 437 without one, 441 if it is somebody else's (RFC 8656 §5). */
export function allocationOf(request: TurnRequest): Allocation | TurnAnswer {
  const { allocation } = request.client;
  if (allocation === null) return failure(437, "allocation-mismatch");
  if (allocation.owner.username !== request.asker.username) return failure(441, "wrong-credentials");
  return allocation;
}

export function isAnswer(value: Allocation | TurnAnswer): value is TurnAnswer {
  return "kind" in value;
}

/** REQUESTED- or ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.6, §18.11). */
export function familyAttribute(
  message: StunMessage,
  type: number,
): AddressFamily | "absent" | "malformed" | "unknown" {
  const value = message.value(type);
  if (value === null) return "absent";
  if (value.length !== 4) return "malformed";
  if (value[0] === WIRE_IPV4) return 4;
  return value[0] === WIRE_IPV6 ? 6 : "unknown";
}

/** LIFETIME in seconds (RFC 8656 §18.2). */
export function lifetimeAttribute(message: StunMessage): number | "absent" | "malformed" {
  const value = message.value(Attribute.lifetime);
  if (value === null) return "absent";
  return value.length === 4 ? value.readUInt32BE(0) : "malformed";
}
