/** Whether this computer may be a supernode now. */
import type { SupernodeObstacle } from "../../protocol/ipc-schema.ts";
import type { Supply } from "./supernode-host.ts";

export interface Circumstances {
  readonly isAllowed: boolean;
  readonly isSessionOpen: boolean;
  readonly supply: Supply;
}

/** `null`: nothing stands in the way that can be known from here. What the system does not say is no obstacle. */
export function obstacleTo({ isAllowed, isSessionOpen, supply }: Circumstances): SupernodeObstacle | "off" | null {
  if (!isAllowed) return "off";
  if (supply.onBattery) return "battery";
  if (supply.metered === "yes") return "metered";
  if (!isSessionOpen) return "no-session";
  return null;
}
