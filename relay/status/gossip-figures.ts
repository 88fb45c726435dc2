/** What a supernode shows of its place among the others: whether it takes part, and what the gossip has seen. */
import type { GossipMembership } from "../membership/gossip-membership.ts";
import { entriesOf, type FigureSection } from "./figures.ts";

export function gossipFigures(membership: Pick<GossipMembership, "metrics" | "stage">): FigureSection {
  const { metrics } = membership;
  return {
    title: "Membership",
    figures: [
      {
        kind: "level",
        name: "takes_part",
        label: "Takes part (1: yes)",
        help: "1 if another supernode has reached this one by UDP and TCP and vouches for it, otherwise 0.",
        unit: "count",
        read: () => (membership.stage.kind === "member" ? 1 : 0),
      },
      {
        kind: "total",
        name: "gossip_probes",
        label: "Members probed",
        help: "Pings sent to find out whether a member lives.",
        unit: "count",
        read: () => metrics.probes,
      },
      {
        kind: "total",
        name: "gossip_probes_unanswered",
        label: "Not answered at once",
        help: "Probes that other members were asked to repeat. Many of them: this line or machine is overloaded.",
        unit: "count",
        read: () => metrics.missedAcks,
      },
      {
        kind: "breakdown",
        name: "gossip_conclusions",
        label: "What became of members",
        help: "Members that were suspected, cleared themselves, were held for dead, or came back without a restart.",
        unit: "count",
        by: ["conclusion"],
        read: () =>
          entriesOf({
            suspected: metrics.suspicionsRaised,
            cleared: metrics.suspicionsRefuted,
            dead: metrics.deaths,
            resurrected: metrics.resurrections,
          }),
      },
      {
        kind: "total",
        name: "gossip_self_refutations",
        label: "Suspected itself",
        help: "Times that others suspected this supernode and it answered. It grows where packets get lost or the process stalls.",
        unit: "count",
        read: () => metrics.selfRefutations,
      },
      {
        kind: "breakdown",
        name: "gossip_newcomers",
        label: "Newcomers examined",
        help: "Supernodes that this one has tried to reach from outside for their joining, by outcome.",
        unit: "count",
        by: ["outcome"],
        read: () => entriesOf({ admitted: metrics.vouched, unreachable: metrics.turnedAway }),
      },
      {
        kind: "total",
        name: "gossip_reach_failures",
        label: "Not reached by TCP",
        help: "Members that this supernode had asked to connect to its TCP port, and that could not. Is the port still open?",
        unit: "count",
        read: () => metrics.reachFailures,
      },
      {
        kind: "breakdown",
        name: "gossip_refusals",
        label: "Gossip refused",
        help: "Packets and statements of other supernodes, or of strangers, that were not believed, by what was wrong.",
        unit: "count",
        by: ["reason"],
        read: () => entriesOf(metrics.refused),
      },
    ],
  };
}
