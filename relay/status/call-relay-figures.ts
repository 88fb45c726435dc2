/** What the relaying of calls shows: how much, how much of what it may, and what was refused. */
import type { QuotaLimits } from "../turn/relay-quota.ts";
import type { TurnStats } from "../turn/turn-server.ts";
import { entriesOf, type FigureSection } from "./figures.ts";

/** @param limits of all users together */
export function callRelayFigures(stats: () => TurnStats, limits: QuotaLimits): FigureSection {
  return {
    title: "Relaying of calls",
    figures: [
      {
        kind: "level",
        name: "relay_allocations",
        label: "Relayed ends of calls",
        help: "TURN allocations that exist now.",
        unit: "count",
        isHeadline: true,
        limit: limits.allocations,
        read: () => stats().allocations,
      },
      {
        kind: "level",
        name: "relay_month_bytes",
        label: "Relayed this month",
        help: "Payload relayed in this calendar month (UTC), both directions together, restarts included.",
        unit: "bytes",
        isHeadline: true,
        limit: limits.bytesPerMonth,
        read: () => stats().bytesThisMonth,
      },
      {
        kind: "total",
        name: "relay_bytes_to_peers",
        label: "From clients to their peers",
        help: "Payload bytes relayed from clients to their peers since the start.",
        unit: "bytes",
        read: () => stats().bytesToPeers,
      },
      {
        kind: "total",
        name: "relay_bytes_from_peers",
        label: "From peers to the clients",
        help: "Payload bytes relayed from peers to clients since the start.",
        unit: "bytes",
        read: () => stats().bytesFromPeers,
      },
      {
        kind: "total",
        name: "relay_packets_to_peers",
        label: "Packets to peers",
        help: "Packets relayed from clients to their peers since the start.",
        unit: "count",
        read: () => stats().packetsToPeers,
      },
      {
        kind: "total",
        name: "relay_packets_from_peers",
        label: "Packets from peers",
        help: "Packets relayed from peers to clients since the start.",
        unit: "count",
        read: () => stats().packetsFromPeers,
      },
      {
        kind: "total",
        name: "relay_allocations_made",
        label: "Allocations made",
        help: "TURN allocations made since the start.",
        unit: "count",
        read: () => stats().allocationsMade,
      },
      {
        kind: "total",
        name: "relay_bindings",
        label: "STUN bindings answered",
        help: "Binding requests answered since the start: clients that ask for their own address.",
        unit: "count",
        read: () => stats().bindings,
      },
      {
        kind: "level",
        name: "relay_stream_clients",
        label: "Clients over TCP and TLS",
        help: "TURN clients that are connected over TCP or TLS now.",
        unit: "count",
        read: () => stats().streamClients,
      },
      {
        kind: "breakdown",
        name: "relay_refusals",
        label: "Refused, by rule",
        help: "Packets and requests that the relay refused or dropped, by the rule that did it.",
        unit: "count",
        by: ["reason"],
        read: () => entriesOf(stats().refused),
      },
    ],
  };
}
