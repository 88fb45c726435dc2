/** Reconnecting without a stampede: exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015). */
import { TIMES } from "./limits.ts";

/**
 * How long to wait before the next attempt, in ms.
 * @param attempt 0 for the first retry
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, random: number): number {
  const cap = Math.min(TIMES.backoffMaxMs, TIMES.backoffBaseMs * 2 ** Math.min(attempt, 30));
  return Math.round(random * cap);
}
