/**
 * What a supernode shows its operator. A part of it names its figures once, as a section, and
 * says how each is read; the metrics and the status page are both made from that. To add
 * figures, write a function that returns a `FigureSection` and put it into the list in
 * supernode.ts. No figure may say anything of a single user: no address, ID or handle.
 */

/** How a number is written on the page. Metrics have the bare number, in these units. */
export type Unit = "count" | "bytes" | "seconds";

interface Described {
  /**
   * Of the metric, without the prefix `kith_`: `attached_nodes`, `relayed_bytes`. A total's
   * name gets `_total` at its end there.
   */
  readonly name: string;
  /** On the page, beside the number. */
  readonly label: string;
  /** One sentence: what exactly is counted. */
  readonly help: string;
  readonly unit: Unit;
  /** Among the few that the page shows large, at its top. */
  readonly isHeadline?: boolean;
}

/** Goes up and down. */
export interface Level extends Described {
  readonly kind: "level";
  read(): number;
  /** What it may reach; the metric `_limit` says it. Left out, or infinite, where nothing bounds it. */
  readonly limit?: number;
}

/** Only ever grows, from 0 at the start of the process. */
export interface Total extends Described {
  readonly kind: "total";
  read(): number;
}

/** Totals of one thing by its kinds. */
export interface Breakdown extends Described {
  readonly kind: "breakdown";
  /** Names of the metric's labels. */
  readonly by: readonly string[];
  read(): Iterable<BreakdownEntry>;
}

export interface BreakdownEntry {
  /** In the order of `by`; from our own tables and never from what somebody sent. */
  readonly values: readonly string[];
  readonly total: number;
}

export type Figure = Level | Total | Breakdown;

export interface FigureSection {
  readonly title: string;
  readonly figures: readonly Figure[];
}

/** For a table of counters by reason, as most parts keep one. */
export function entriesOf(counters: Readonly<Record<string, number>>): BreakdownEntry[] {
  return Object.entries(counters).map(([reason, total]) => ({ values: [reason], total }));
}

/** What does not change while a supernode runs, and whether it takes part. */
export interface SupernodeState {
  readonly supernodeId: string;
  /** As it is advertised. */
  readonly host: string;
  readonly port: number;
  readonly version: string;
  /** ms since 1970 */
  readonly startedAt: number;
  readonly phase: SupernodePhase;
}

/**
 * `outside`: no member has reached it yet, so it takes nobody. `draining`: the attached nodes are told to go
 * elsewhere, and nobody new is taken.
 */
export type SupernodePhase = "ready" | "outside" | "draining";
