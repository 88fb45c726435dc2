/** What a supernode shows of itself: who is attached, its share of the directory, its port and what it refused. */
import type { PortTraffic } from "../ports/listener.ts";
import type { RequestTally } from "../sockets/request-tally.ts";
import { entriesOf, type FigureSection } from "./figures.ts";

export interface SupernodeFigureParts {
  readonly attachedNodes: () => number;
  readonly maxAttachments: number;
  /** Members of the network, this one included. */
  readonly members: () => number;
  /** Sockets that other supernodes have opened here. */
  readonly links: () => number;
  readonly records: () => number;
  readonly traffic: () => PortTraffic;
  readonly connectionsRefused: Readonly<Record<string, number>>;
  readonly framesRefused: Readonly<Record<string, number>>;
  readonly tally: RequestTally;
}

export function supernodeFigures(parts: SupernodeFigureParts): FigureSection[] {
  return [peopleAndDirectory(parts), port(parts), requests(parts)];
}

function peopleAndDirectory({
  attachedNodes,
  maxAttachments,
  members,
  links,
  records,
}: SupernodeFigureParts): FigureSection {
  return {
    title: "Network",
    figures: [
      {
        kind: "level",
        name: "attached_nodes",
        label: "Attached nodes",
        help: "Ordinary nodes, one for each device, that are attached here now.",
        unit: "count",
        isHeadline: true,
        limit: maxAttachments,
        read: attachedNodes,
      },
      {
        kind: "level",
        name: "members",
        label: "Supernodes",
        help: "Supernodes that this one counts as members, itself included.",
        unit: "count",
        isHeadline: true,
        read: members,
      },
      {
        kind: "level",
        name: "links",
        label: "Links from other supernodes",
        help: "Sockets that other supernodes have opened to this one.",
        unit: "count",
        read: links,
      },
      {
        kind: "level",
        name: "records",
        label: "Directory records held",
        help: "Leases of devices, online or remembered for 72 hours, that are this supernode's to hold.",
        unit: "count",
        isHeadline: true,
        read: records,
      },
    ],
  };
}

function port({ traffic, connectionsRefused }: SupernodeFigureParts): FigureSection {
  return {
    title: "Connections and traffic",
    figures: [
      {
        kind: "total",
        name: "port_received_bytes",
        label: "Received",
        help: "Bytes received on the TCP port, TLS included. What the relay carries is counted there.",
        unit: "bytes",
        read: () => traffic().bytesReceived,
      },
      {
        kind: "total",
        name: "port_sent_bytes",
        label: "Sent",
        help: "Bytes sent on the TCP port, TLS included. What the relay carries is counted there.",
        unit: "bytes",
        read: () => traffic().bytesSent,
      },
      {
        kind: "level",
        name: "connections",
        label: "TCP connections",
        help: "Connections that are open on the TCP port now.",
        unit: "count",
        read: () => traffic().open,
      },
      {
        kind: "total",
        name: "connections_opened",
        label: "TCP connections taken",
        help: "Connections taken on the TCP port since the start.",
        unit: "count",
        read: () => traffic().opened,
      },
      {
        kind: "breakdown",
        name: "connections_refused",
        label: "Connections refused",
        help: "Connections that came to nothing before any protocol had them, by what was wrong.",
        unit: "count",
        by: ["reason"],
        read: () => entriesOf(connectionsRefused),
      },
    ],
  };
}

function requests({ tally, framesRefused }: SupernodeFigureParts): FigureSection {
  return {
    title: "Requests",
    figures: [
      {
        kind: "breakdown",
        name: "requests_answered",
        label: "Answered, by who asked",
        help: "Requests over WebSocket that were answered, by who asked: newcomers prove themselves, nodes are attached.",
        unit: "count",
        by: ["from"],
        read: () => tally.answered(),
      },
      {
        kind: "breakdown",
        name: "requests_refused",
        label: "Refused, by who asked and error code",
        help: "Requests over WebSocket that were refused, by who asked and the error code of the answer.",
        unit: "count",
        by: ["from", "code"],
        read: () => tally.refused(),
      },
      {
        kind: "breakdown",
        name: "frames_refused",
        label: "Frames refused",
        help: "WebSocket frames that no request could be made of, by what was wrong. Each closed its connection.",
        unit: "count",
        by: ["reason"],
        read: () => entriesOf(framesRefused),
      },
    ],
  };
}
