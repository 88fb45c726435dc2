/** What this computer does as a supernode, in words. */
import type { SupernodeView } from "../../protocol/ipc-schema.ts";
import type { TextId } from "../texts/en.ts";
import type { Text } from "../texts/use-text.ts";

type Obstacle = Extract<SupernodeView, { phase: "waiting" }>["obstacle"];

const WAITING: Readonly<Record<Obstacle, TextId>> = {
  "no-session": "supernode.waitingSession",
  "not-wanted": "supernode.waitingNotWanted",
  elsewhere: "supernode.waitingElsewhere",
  battery: "supernode.waitingBattery",
  metered: "supernode.waitingMetered",
};

/** A sentence or two. */
export function supernodeState(view: SupernodeView, text: Text): string {
  switch (view.phase) {
    case "off":
      return text("supernode.off");
    case "waiting":
      return text(WAITING[view.obstacle]);
    case "starting":
      return text("supernode.starting");
    case "unreachable": {
      const id = view.by === "udp" ? "supernode.unreachableUdp" : "supernode.unreachableTcp";
      return text(id, { host: view.host, port: String(view.port) });
    }
    case "running":
      return text(view.relays ? "supernode.running" : "supernode.runningWithoutRelay");
    case "failed":
      return text("supernode.failed", { why: view.notice.message });
    default:
      return view satisfies never;
  }
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Three digits that count, in decimal units as traffic is billed. */
export function bytesText(bytes: number, locale: string): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const format = new Intl.NumberFormat(locale, {
    style: "unit",
    unit: UNITS[power] ?? "byte",
    maximumSignificantDigits: 3,
  });
  return format.format(bytes / 1_000 ** power);
}
