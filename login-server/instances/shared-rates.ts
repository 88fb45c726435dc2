/**
 * Rate limits that hold for all instances together: each tells the others a few times a
 * second what was taken. Between two tellings somebody may get a little more than the limit;
 * without Redis each instance keeps the limit for itself.
 */
import { createHmac } from "node:crypto";
import type { Sharing } from "../limits/rate-limiter.ts";
import type { RateOptions } from "../limits/rate-limits.ts";
import type { Instances } from "./news.ts";

const TELLING_INTERVAL_MS = 250;
const DISGUISE_BYTES = 12;

export class SharedRates {
  readonly #others: Instances;
  readonly #key: Buffer;
  readonly #untold = new Map<keyof RateOptions, Map<string, number>>();
  #timer: NodeJS.Timeout | null = null;

  /** @param secret all instances know it, Redis does not */
  constructor(others: Instances, secret: string) {
    this.#others = others;
    this.#key = createHmac("sha256", secret).update("kith rate limits 1").digest();
  }

  readonly sharing = (limit: keyof RateOptions): Sharing => ({
    disguise: (key) =>
      createHmac("sha256", this.#key)
        .update(`${limit} ${key}`)
        .digest()
        .subarray(0, DISGUISE_BYTES)
        .toString("base64url"),
    taken: (disguised) => {
      const counts = this.#untold.get(limit) ?? new Map<string, number>();
      this.#untold.set(limit, counts);
      counts.set(disguised, (counts.get(disguised) ?? 0) + 1);
      this.#timer ??= setTimeout(() => this.#tell(), TELLING_INTERVAL_MS);
    },
  });

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  #tell(): void {
    this.#timer = null;
    for (const [limit, counts] of this.#untold) this.#others.tell({ kind: "taken", limit, counts: [...counts] });
    this.#untold.clear();
  }
}
