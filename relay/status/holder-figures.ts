/** What a supernode shows of the holders of the directory's records: what was wrong with others, and its own repairs. */
import type { HolderStandings } from "../records/holder-standing.ts";
import type { ReplicationMetrics } from "../records/replication-parts.ts";
import { entriesOf, type FigureSection } from "./figures.ts";

export function holderFigures(
  standings: Pick<HolderStandings, "faults">,
  replication: Readonly<ReplicationMetrics>,
): FigureSection {
  return {
    title: "Directory's holders",
    figures: [
      {
        kind: "breakdown",
        name: "holder_faults",
        label: "Faults of other holders",
        help: "What was wrong with other supernodes' answers about records, by kind. Who has a fault is asked last for a while.",
        unit: "count",
        by: ["fault"],
        read: () => entriesOf(standings.faults),
      },
      {
        kind: "total",
        name: "records_sent",
        label: "Records handed over",
        help: "Records sent to supernodes that have become their holders.",
        unit: "count",
        read: () => replication.sent,
      },
      {
        kind: "total",
        name: "records_adopted",
        label: "Records taken over",
        help: "Records taken from other holders, because they are now this supernode's to hold.",
        unit: "count",
        read: () => replication.adopted,
      },
      {
        kind: "breakdown",
        name: "replication_refused",
        label: "Refused from other holders",
        help: "Offers and records of other supernodes that were refused, by reason.",
        unit: "count",
        by: ["reason"],
        read: () => entriesOf(replication.refused),
      },
    ],
  };
}
