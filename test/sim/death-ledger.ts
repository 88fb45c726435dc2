/** Who was held for dead by whom: how soon if it was true, for how long if it was not. */
import type { SimNode } from "./sim-node.ts";

const STEP_MS = 50;
const LONGEST_MS = 180_000;

interface Mistake {
  readonly observer: SimNode;
  readonly subject: SimNode;
  readonly since: number;
}

export class DeathLedger {
  /** From a crash to the conclusion of each of the others. */
  readonly detections = new TimeCounts();
  /** Conclusions of one about another that lives and could be reached. */
  falseDeaths = 0;
  /** The same of one that is slow, or whose line comes and goes. */
  troubledDeaths = 0;
  /** How long the wrong ones lasted: counted when they end. */
  readonly mistakes = new TimeCounts();
  readonly #open = new Map<number, Mistake>();

  onDead(observer: SimNode, subject: SimNode, now: number): void {
    if (subject.diedAt !== null) this.detections.add(now - subject.diedAt);
    // Who is on the other side of a partition is rightly held for dead; who has said goodbye is gone.
    if (!subject.isUp || subject.side !== observer.side) return;
    if (subject.isTroubled || observer.isTroubled) this.troubledDeaths++;
    else this.falseDeaths++;
    this.#open.set(pairOf(observer, subject), { observer, subject, since: now });
  }

  onAlive(observer: SimNode, subject: SimNode, now: number): void {
    const pair = pairOf(observer, subject);
    const mistake = this.#open.get(pair);
    if (!mistake) return;
    this.#open.delete(pair);
    this.mistakes.add(now - mistake.since);
  }

  /** Wrong ones that last. */
  get lasting(): number {
    return [...this.#open.values()].filter(({ observer, subject }) => observer.isUp && subject.isUp).length;
  }
}

function pairOf(observer: SimNode, subject: SimNode): number {
  return observer.number * 2 ** 20 + subject.number;
}

/** Many durations in little memory: counted in steps of 50 ms, up to three minutes. */
export class TimeCounts {
  readonly #counts = new Uint32Array(LONGEST_MS / STEP_MS);
  count = 0;

  add(ms: number): void {
    const step = Math.min(this.#counts.length - 1, Math.floor(ms / STEP_MS));
    this.#counts[step] = (this.#counts[step] as number) + 1;
    this.count++;
  }

  /** Below which this share of them lie, in seconds; null if there are none. */
  secondsAt(share: number): number | null {
    if (this.count === 0) return null;
    let left = Math.ceil(this.count * share);
    let step = 0;
    while (step < this.#counts.length - 1 && left > (this.#counts[step] as number)) {
      left -= this.#counts[step] as number;
      step++;
    }
    return Number((((step + 1) * STEP_MS) / 1_000).toFixed(2));
  }
}
