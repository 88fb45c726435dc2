/** What the computer says of its power and its line. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { PowerMonitor } from "electron";
import type { Metered, SupernodeHost, Supply } from "../supernode/supernode-host.ts";

const POLL_MS = 30_000;
const ANSWER_MS = 3_000;
/**
 * NMMetered of NetworkManager's D-Bus interface: 1 and 3 say yes and probably, 2 and 4 no
 * and probably not, 0 that it does not know.
 */
const METERED: Readonly<Record<string, Metered>> = { "1": "yes", "2": "no", "3": "yes", "4": "no" };

const run = promisify(execFile);

/**
 * Battery everywhere; a metered line where NetworkManager runs. Windows and macOS tell it to
 * programs of their own kinds only, so there it stays unknown.
 */
export function watchSupply(
  power: PowerMonitor,
  platform: NodeJS.Platform,
): Pick<SupernodeHost, "supply" | "onSupplyChange"> {
  let metered: Metered = "unknown";
  return {
    supply: (): Supply => ({ onBattery: power.isOnBatteryPower(), metered }),
    onSupplyChange(listener) {
      power.on("on-battery", listener);
      power.on("on-ac", listener);
      const look = async () => {
        const before = metered;
        metered = await askNetworkManager();
        if (metered !== before) listener();
      };
      const polling = platform === "linux" ? setInterval(look, POLL_MS) : undefined;
      if (polling) void look();
      return () => {
        power.off("on-battery", listener);
        power.off("on-ac", listener);
        clearInterval(polling);
      };
    },
  };
}

async function askNetworkManager(): Promise<Metered> {
  const name = "org.freedesktop.NetworkManager";
  const args = ["--system", "get-property", name, "/org/freedesktop/NetworkManager", name, "Metered"];
  try {
    const { stdout } = await run("busctl", args, { timeout: ANSWER_MS });
    return METERED[/^u (\d)\s*$/.exec(stdout)?.[1] ?? ""] ?? "unknown";
  } catch {
    // No systemd, no NetworkManager, or it does not answer.
    return "unknown";
  }
}
