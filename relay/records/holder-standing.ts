/** What was seen of each holder: who lies or does not answer is asked last for a while, and shows in the metrics. */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { HedgeBudget } from "./hedge-budget.ts";

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

/** How long a fault counts against a holder, in milliseconds, by how surely it is a lie. */
export const STANDING_TIMES = {
  /** Silent, refused. */
  slownessMs: 30_000,
  /** Withheld, outdated: it may not have known better. */
  doubtMs: 2 * 60_000,
  /** Forged; and the most that faults add up to. */
  distrustMs: 60 * 60_000,
} as const;

export type StandingTimes = { readonly [K in keyof typeof STANDING_TIMES]: number };

const TIME_OF: Readonly<Record<HolderFault, keyof StandingTimes>> = {
  silent: "slownessMs",
  refused: "slownessMs",
  withheld: "doubtMs",
  outdated: "doubtMs",
  forged: "distrustMs",
};

export class HolderStandings {
  readonly #times: StandingTimes;
  readonly #until = new Map<SupernodeId, number>();
  /** Of all holders together: whether it helps to ask another one when one is slow. */
  readonly hedges = new HedgeBudget();
  /** Counted in all, for the operator. */
  readonly faults: Record<HolderFault, number> = { silent: 0, refused: 0, withheld: 0, outdated: 0, forged: 0 };

  constructor(times: StandingTimes = STANDING_TIMES) {
    this.#times = times;
  }

  report(holder: SupernodeId, fault: HolderFault, now: number): void {
    this.faults[fault]++;
    const from = Math.max(now, this.#until.get(holder) ?? 0);
    this.#until.set(holder, Math.min(from + this.#times[TIME_OF[fault]], now + this.#times.distrustMs));
  }

  /** It has shown itself: what it did not answer is forgotten, but no lie. */
  returned(holder: SupernodeId, now: number): void {
    if ((this.#until.get(holder) ?? 0) <= now + this.#times.slownessMs) this.#until.delete(holder);
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
