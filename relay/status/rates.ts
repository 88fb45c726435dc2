/** How fast totals grow just now, from samples of the last minute. */
import type { FigureSection } from "./figures.ts";

const WINDOW_MS = 60_000;

interface Sample {
  readonly atMs: number;
  readonly totals: ReadonlyMap<string, number>;
}

export class Rates {
  readonly #sections: readonly FigureSection[];
  #samples: Sample[] = [];

  constructor(sections: readonly FigureSection[]) {
    this.#sections = sections;
  }

  /** Call every few seconds. @param nowMs of a clock that never goes back */
  sample(nowMs: number): void {
    const totals = new Map<string, number>();
    for (const { figures } of this.#sections) {
      for (const figure of figures) if (figure.kind === "total") totals.set(figure.name, figure.read());
    }
    this.#samples = [...this.#samples.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS), { atMs: nowMs, totals }];
  }

  /** Per second over the last minute, or as long as there are samples; null before there are two. */
  of(name: string): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return null;
    const grown = (last.totals.get(name) ?? 0) - (first.totals.get(name) ?? 0);
    return (grown * 1_000) / (last.atMs - first.atMs);
  }
}
