/** What one socket may ask of us: so many requests at a time, and so many a second. */
import { KithError } from "../../protocol/errors.ts";
import { NAMES_PER_WEIGHT, REQUEST_WEIGHTS } from "../relay-limits.ts";
import { TokenBucket } from "../token-bucket.ts";

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

/** What a socket may still ask, and how much of it is not answered yet. */
export class RequestGate {
  readonly #limits: GateLimits;
  /** Monotonic, in ms. */
  readonly #clock: () => number;
  readonly #rate: TokenBucket;
  #inFlight = 0;

  constructor(limits: GateLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    this.#rate = new TokenBucket(limits.burst, limits.perSecond);
  }

  /** Lets a request in; `leave` must follow. @throws KithError `rate-limited` */
  enter(weight: number): void {
    if (this.#inFlight >= this.#limits.inFlight) throw new KithError("rate-limited", { seconds: 1 });
    const now = this.#clock();
    if (!this.#rate.take(now, weight)) {
      throw new KithError("rate-limited", { seconds: Math.ceil(this.#rate.waitMs(now, weight) / 1_000) });
    }
    this.#inFlight++;
  }

  leave(): void {
    this.#inFlight--;
  }
}
