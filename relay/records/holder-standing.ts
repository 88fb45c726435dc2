/** What was seen of each holder: who lies or does not answer is asked last for a while, and shows in the metrics. */
import type { SupernodeId } from "../../protocol/identifiers.ts";

export type HolderFault =
  /** It did not answer in time. */
  | "silent"
  /** It answered with an error. */
  | "refused"
  /** It said that it has nothing, and others had it. */
  | "withheld"
  /** Its lease was older than that of others. */
  | "outdated"
  /** What it sent was not signed by the account. */
  | "forged";

/** How many minutes a fault counts against a holder, by how surely it is a lie. */
const MINUTES: Readonly<Record<HolderFault, number>> = {
  silent: 0.5,
  refused: 0.5,
  withheld: 2,
  outdated: 2,
  forged: 60,
};
const MAX_MINUTES = 60;

export class HolderStandings {
  readonly #until = new Map<SupernodeId, number>();
  /** Counted in all, for the operator. */
  readonly faults: Record<HolderFault, number> = { silent: 0, refused: 0, withheld: 0, outdated: 0, forged: 0 };

  report(holder: SupernodeId, fault: HolderFault, now: number): void {
    this.faults[fault]++;
    const from = Math.max(now, this.#until.get(holder) ?? 0);
    this.#until.set(holder, Math.min(from + MINUTES[fault] * 60_000, now + MAX_MINUTES * 60_000));
  }

  isGood(holder: SupernodeId, now: number): boolean {
    return (this.#until.get(holder) ?? 0) <= now;
  }

  /** Those in good standing first, each half in the order given. */
  ordered(holders: readonly SupernodeId[], now: number): SupernodeId[] {
    const good = holders.filter((holder) => this.isGood(holder, now));
    return [...good, ...holders.filter((holder) => !good.includes(holder))];
  }

  sweep(now: number): void {
    for (const [holder, until] of this.#until) if (until <= now) this.#until.delete(holder);
  }
}
