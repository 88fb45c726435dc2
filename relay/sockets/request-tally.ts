/** How many requests were answered and refused, by who asked and why. */
import type { BreakdownEntry } from "../status/figures.ts";

/** A socket that has not proved itself yet, an attached node, or another supernode. */
type Asker = "opening" | "node" | "link";

const ASKERS: Readonly<Record<Asker, string>> = { opening: "newcomer", node: "node", link: "supernode" };

export class RequestTally {
  readonly #answered: Record<Asker, number> = { opening: 0, node: 0, link: 0 };
  readonly #refused: Record<Asker, Map<string, number>> = { opening: new Map(), node: new Map(), link: new Map() };

  count(
    asker: Asker,
    result: { readonly ok: true } | { readonly ok: false; readonly error: { readonly code: string } },
  ) {
    if (result.ok) {
      this.#answered[asker]++;
      return;
    }
    const refused = this.#refused[asker];
    refused.set(result.error.code, (refused.get(result.error.code) ?? 0) + 1);
  }

  /** By asker. */
  answered(): BreakdownEntry[] {
    return ASKER_KINDS.map((asker) => ({ values: [ASKERS[asker]], total: this.#answered[asker] }));
  }

  /** By asker and error code. */
  refused(): BreakdownEntry[] {
    return ASKER_KINDS.flatMap((asker) =>
      [...this.#refused[asker]].map(([code, total]) => ({ values: [ASKERS[asker], code], total })),
    );
  }
}

const ASKER_KINDS = ["opening", "node", "link"] as const;
