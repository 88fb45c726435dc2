/** STUN requests: what is answered without credentials, and how the others are let in (RFC 8489 §6.3, §9.2.4). */
import { allocate } from "./allocate-request.ts";
import type { TurnClient } from "./allocation.ts";
import { channelBind, createPermission, refresh } from "./allocation-requests.ts";
import { type RateLimit, SourceLimiter } from "./source-limiter.ts";
import { Attribute, KNOWN_REQUIRED_ATTRIBUTES, StunMethod } from "./stun-attributes.ts";
import type { StunMessage } from "./stun-message.ts";
import { TransactionCache } from "./transaction-cache.ts";
import { encodeAnswer, failure, success, type TurnAnswer, unknownAttributes } from "./turn-answer.ts";
import type { Authenticator } from "./turn-authentication.ts";
import type { TurnClock } from "./turn-clock.ts";
import type { Refusal } from "./turn-counters.ts";
import type { TurnRequest, TurnServices } from "./turn-request.ts";

export interface RequestLimits {
  /** Binding requests of one source network. */
  readonly bindings: RateLimit;
  /** Requests of one source network that no allocation stands behind, which is what an attacker can send. */
  readonly unauthenticated: RateLimit;
  /** Requests on one allocation. */
  readonly allocation: RateLimit;
}

type Handler = (request: TurnRequest, services: TurnServices) => TurnAnswer;

const HANDLERS: ReadonlyMap<number, Handler> = new Map([
  [StunMethod.allocate, allocate],
  [StunMethod.refresh, refresh],
  [StunMethod.createPermission, createPermission],
  [StunMethod.channelBind, channelBind],
]);

export class StunRequests {
  readonly #services: TurnServices;
  readonly #authenticator: Authenticator;
  readonly #clock: TurnClock;
  readonly #bindingLimiter: SourceLimiter;
  readonly #unauthenticatedLimiter: SourceLimiter;
  readonly #transactions = new TransactionCache();

  /** @param seed draws random 32-bit integers */
  constructor(
    services: TurnServices,
    authenticator: Authenticator,
    clock: TurnClock,
    limits: RequestLimits,
    seed: () => number,
  ) {
    this.#services = services;
    this.#authenticator = authenticator;
    this.#clock = clock;
    this.#bindingLimiter = new SourceLimiter(limits.bindings, seed());
    this.#unauthenticatedLimiter = new SourceLimiter(limits.unauthenticated, seed());
  }

  /** Answers a request, or counts why not. */
  handle(client: TurnClient, message: StunMessage): void {
    const nowMs = this.#clock.monotonicMs();
    const handler = HANDLERS.get(message.method);
    if (message.method === StunMethod.binding) {
      this.#binding(client, message, nowMs);
    } else if (handler === undefined) {
      // RFC 8489 §6.3: a method that is not known here is no reason to answer.
      this.#count("not-a-request");
    } else if (this.#isWithinRate(client, nowMs)) {
      this.#turn(client, message, handler, nowMs);
    }
  }

  sweep(nowMs: number): void {
    this.#transactions.sweep(nowMs);
  }

  /** RFC 8489 §6.3.1: needs no credentials. */
  #binding(client: TurnClient, message: StunMessage, nowMs: number): void {
    if (!this.#bindingLimiter.take(client.address, nowMs)) {
      this.#count("unauthenticated-rate");
      return;
    }
    const unknown = message.unknownRequired(KNOWN_REQUIRED_ATTRIBUTES);
    if (unknown.length > 0) {
      this.#answer(client, message, unknownAttributes(unknown));
    } else {
      this.#services.counters.bindings++;
      this.#answer(
        client,
        message,
        success((writer) => writer.xorAddress(Attribute.xorMappedAddress, client.address)),
      );
    }
  }

  #isWithinRate(client: TurnClient, nowMs: number): boolean {
    const { allocation } = client;
    if (allocation === null) {
      if (this.#unauthenticatedLimiter.take(client.address, nowMs)) return true;
      this.#count("unauthenticated-rate");
      return false;
    }
    if (allocation.requests.take(1, nowMs)) return true;
    this.#count("control-rate");
    return false;
  }

  #turn(client: TurnClient, message: StunMessage, handler: Handler, nowMs: number): void {
    const transaction = client.isStream ? null : transactionKey(client, message);
    const earlier = transaction === null ? null : this.#transactions.get(transaction, nowMs);
    if (earlier !== null) {
      client.send(earlier, 0, earlier.length);
      return;
    }
    const asker = this.#authenticator.authenticate(message, client, this.#clock.wallMs(), nowMs);
    if (asker.kind === "challenge") {
      this.#count(asker.refusal);
      const challenge = this.#authenticator.challenge(message, asker.code, client.address, nowMs);
      client.send(challenge, 0, challenge.length);
      return;
    }
    if (asker.kind === "bad-request") {
      this.#answer(client, message, failure(400, "bad-request"));
      return;
    }
    // RFC 8489 §6.3.1: unknown attributes count after authentication.
    const unknown = message.unknownRequired(KNOWN_REQUIRED_ATTRIBUTES);
    const request = { message, client, asker, nowMs };
    const answer = unknown.length > 0 ? unknownAttributes(unknown) : handler(request, this.#services);
    const bytes = encodeAnswer(message, answer, asker.seal);
    if (transaction !== null) this.#transactions.set(transaction, bytes, nowMs);
    if (answer.kind === "error") this.#count(answer.refusal);
    client.send(bytes, 0, bytes.length);
  }

  /** An answer to somebody who is not authenticated. */
  #answer(client: TurnClient, message: StunMessage, answer: TurnAnswer): void {
    if (answer.kind === "error") this.#count(answer.refusal);
    const bytes = encodeAnswer(message, answer, null);
    client.send(bytes, 0, bytes.length);
  }

  #count(refusal: Refusal): void {
    this.#services.counters.refused[refusal]++;
  }
}

/** A retransmission is the same message from the same 5-tuple, to the last byte (RFC 8489 §6.2.1). */
function transactionKey(client: TurnClient, message: StunMessage): string {
  return `${client.listener} ${client.address} ${message.bytes.toString("latin1", message.start, message.end)}`;
}
