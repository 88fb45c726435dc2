/** Whether this machine can hold the lab. */
import { ensureTools } from "../../scripts/system-packages.ts";
import { run, tryRun } from "./system.ts";

const PROBE_RULES = `table ip probe {
  chain post { type nat hook postrouting priority srcnat; oifname "v0" masquerade random,fully-random; }
  chain forward { type filter hook forward priority 0; ct state established accept; }
}`;

/** Null if it can; otherwise why not, in one line. Installs what is missing where it may. */
export async function whyNoLab(env: NodeJS.ProcessEnv): Promise<string | null> {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const missing = await ensureTools({ ip: "iproute2", nft: "nftables", conntrack: "conntrack" }, env);
  if (missing !== null) return missing;
  const probe = `kith-probe-${process.pid}`;
  try {
    await run("ip", ["netns", "add", probe]);
    await run("ip", ["-n", probe, "link", "add", "br0", "type", "bridge"]);
    await run("ip", ["-n", probe, "link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
    await run("ip", ["netns", "exec", probe, "nft", "-f", "-"], PROBE_RULES);
    return null;
  } catch (error) {
    return `this kernel or container does not allow it (${error instanceof Error ? error.message : error})`;
  } finally {
    await tryRun("ip", ["netns", "del", probe]);
  }
}
