/**
 * How well this process itself keeps up: Lifeguard's local health (Dadgar, Phillips and
 * Currey, "Lifeguard: Local Health Awareness for More Accurate Failure Detection", 2018,
 * section 3.1). A member that misses answers, or hears that it is suspected, doubts
 * itself first: it waits longer before it doubts others.
 */
import { GOSSIP_LIMITS } from "./gossip-times.ts";

export class LocalHealth {
  #score = 0;

  /** 1 when all is well; times and intervals of probes are multiplied by this. */
  get multiplier(): number {
    return this.#score + 1;
  }

  improve(): void {
    this.#score = Math.max(0, this.#score - 1);
  }

  worsen(by: number): void {
    this.#score = Math.min(GOSSIP_LIMITS.maxHealthScore, this.#score + by);
  }
}
