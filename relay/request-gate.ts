/** What one socket may ask of us: so many requests at a time, and so many a second. */
import { KithError } from "../protocol/errors.ts";
import { NAMES_PER_WEIGHT, REQUEST_WEIGHTS } from "./relay-limits.ts";

/** What a request costs, judged before anything of it is looked at more closely. */
export function weightOf(method: string, received: unknown): number {
  let names = 0;
  if (typeof received === "object" && received !== null) {
    for (const value of Object.values(received)) if (Array.isArray(value)) names += value.length;
  }
  return (REQUEST_WEIGHTS[method] ?? 1) + Math.floor(names / NAMES_PER_WEIGHT);
}

export interface GateLimits {
  readonly inFlight: number;
  /** Requests at once after a pause. */
  readonly burst: number;
  readonly perSecond: number;
}

/** A token bucket and a count of what is not answered yet. */
export class RequestGate {
  readonly #limits: GateLimits;
  /** Monotonic, in ms. */
  readonly #clock: () => number;
  #tokens: number;
  #filledAt: number;
  #inFlight = 0;

  constructor(limits: GateLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    this.#tokens = limits.burst;
    this.#filledAt = clock();
  }

  /** Lets a request in; `leave` must follow. @throws KithError `rate-limited` */
  enter(weight: number): void {
    const { burst, perSecond, inFlight } = this.#limits;
    const now = this.#clock();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1_000) * perSecond);
    this.#filledAt = now;
    if (this.#inFlight >= inFlight) throw new KithError("rate-limited", { seconds: 1 });
    if (this.#tokens < weight) {
      throw new KithError("rate-limited", { seconds: Math.ceil((weight - this.#tokens) / perSecond) });
    }
    this.#tokens -= weight;
    this.#inFlight++;
  }

  leave(): void {
    this.#inFlight--;
  }
}
