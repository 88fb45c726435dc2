/**
 * What may be relayed: for each user, each source address and in all, a number of
 * allocations, bytes a second and bytes a month. A byte is one byte of relayed payload,
 * counted once although the operator's line carries it twice (in and out).
 */
import { TokenBucket } from "./token-bucket.ts";

export interface QuotaLimits {
  readonly allocations: number;
  /** Both directions together. */
  readonly bytesPerSecond: number;
  /** Both directions together, calendar month in UTC. */
  readonly bytesPerMonth: number;
}

export const UNLIMITED: QuotaLimits = {
  allocations: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  bytesPerMonth: Number.POSITIVE_INFINITY,
};

/**
 * What a bucket may save up: as much as it can be if at most 1 % more than the rate is to pass in 10 s. Less would be
 * felt by whatever sends in bursts, as a file transfer does.
 */
const BURST_SECONDS = 0.09;

/** One user, one source address, or the whole server. */
export class QuotaAccount {
  readonly key: string;
  readonly limits: QuotaLimits;
  readonly bandwidth: TokenBucket;
  allocations = 0;
  bytesThisMonth = 0;
  /** When it last had an allocation, on the server's clock. */
  idleSinceMs: number;

  constructor(key: string, limits: QuotaLimits, nowMs: number) {
    const burst = limits.bytesPerSecond * BURST_SECONDS;
    this.key = key;
    this.limits = limits;
    this.bandwidth = new TokenBucket(limits.bytesPerSecond, burst, nowMs);
    this.idleSinceMs = nowMs;
  }

  hasAllocationLeft(): boolean {
    return this.allocations < this.limits.allocations;
  }

  hasVolumeLeft(bytes: number): boolean {
    return this.bytesThisMonth + bytes <= this.limits.bytesPerMonth;
  }

  spend(bytes: number): void {
    this.bytesThisMonth += bytes;
    this.bandwidth.spend(bytes);
  }
}
