/** What search counts, for the operator; nothing of what was searched or by whom. */
import { entriesOf, type FigureSection } from "../status/figures.ts";

export class SearchMetrics {
  /** Pages asked for by attached nodes, and by other supernodes. */
  searches = 0;
  pagesServed = 0;
  published = 0;
  stored = 0;
  handedOver = 0;
  expired = 0;
  readonly refused = {
    /** An attached node that searches or publishes too often. */
    "node-rate": 0,
    /** Another supernode that asks too often. */
    "supernode-rate": 0,
    "too-short": 0,
    /** A profile that does not hold, or is not the sender's to publish. */
    profile: 0,
    full: 0,
  };
  /** What was wrong with other supernodes' answers. */
  readonly faults = {
    /** None, in time. */
    silent: 0,
    refused: 0,
    /** Signed by nobody, or not what was asked for. */
    forged: 0,
    /** A profile that its user has replaced or withdrawn. */
    outdated: 0,
    /** Somebody left out whom another holder has. */
    withheld: 0,
  };
}

export function searchSection(metrics: SearchMetrics, store: { readonly size: number }, maxProfiles: number) {
  return {
    title: "Search",
    figures: [
      {
        kind: "level",
        name: "search_profiles",
        label: "Findable people kept",
        help: "Profiles that this supernode keeps for searches, withdrawn ones until they lapse.",
        unit: "count",
        limit: maxProfiles,
        read: () => store.size,
      },
      {
        kind: "total",
        name: "searches",
        label: "Searches",
        help: "Pages of search results that attached nodes have asked for.",
        unit: "count",
        read: () => metrics.searches,
      },
      {
        kind: "total",
        name: "search_pages_served",
        label: "Pages served to supernodes",
        help: "Pages of search results answered to other supernodes and to this one.",
        unit: "count",
        read: () => metrics.pagesServed,
      },
      {
        kind: "total",
        name: "search_profiles_handed_over",
        label: "Profiles handed over",
        help: "Profiles given to supernodes that have become their holders.",
        unit: "count",
        read: () => metrics.handedOver,
      },
      {
        kind: "breakdown",
        name: "search_refusals",
        label: "Refused",
        help: "Searches and profiles that were refused, by reason.",
        unit: "count",
        by: ["reason"],
        read: () => entriesOf(metrics.refused),
      },
      {
        kind: "breakdown",
        name: "search_holder_faults",
        label: "Faults of other holders",
        help: "What was wrong with other supernodes' answers to searches, by kind.",
        unit: "count",
        by: ["fault"],
        read: () => entriesOf(metrics.faults),
      },
    ],
  } as const satisfies FigureSection;
}
