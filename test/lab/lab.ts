/**
 * A small internet of network namespaces: public hosts on one bridge, and two people, each
 * behind an access line of some kind. The bridge too is in a namespace of its own, so no
 * packet can leave the machine, and nothing of the machine's own network is touched.
 */
import { readFile } from "node:fs/promises";
import { type AccessKind, PROXY, routerRules } from "./access-kind.ts";
import { type LabProcess, startInHost } from "./lab-process.ts";
import { run, tryRun } from "./system.ts";

export type Side = "alice" | "bob";
type PublicHost = "login" | "sn1" | "sn2" | "proxy";

export const PUBLIC: Readonly<Record<PublicHost, string>> = {
  login: "203.0.113.10",
  sn1: "203.0.113.21",
  sn2: "203.0.113.22",
  proxy: PROXY.host,
};
/** The operator's option of the lab's supernodes: documentation addresses (RFC 5737) are no peers by default. */
export const LAB_RANGE = "203.0.113.0/24";
const GATEWAY = "203.0.113.1";

const SIDES: Readonly<Record<Side, { router: string; wan: string; direct: string; lan: string }>> = {
  alice: { router: "nat-alice", wan: "203.0.113.101", direct: "203.0.113.111", lan: "10.1.0" },
  bob: { router: "nat-bob", wan: "203.0.113.102", direct: "203.0.113.112", lan: "10.2.0" },
};

/** What the wire of an access line does to packets, each way. */
export interface Wire {
  readonly delayMs: number;
  readonly jitterMs: number;
  /** 0 to 1. */
  readonly loss: number;
}

export class Lab {
  readonly #prefix = `kith-${process.pid}-`;
  readonly #wires = new Map<Side, LabProcess>();
  readonly #isPublic = new Map<Side, boolean>();

  /** @throws Error with the tool's words where the machine does not allow it; ask whyNoLab before */
  static async open(): Promise<Lab> {
    await sweep();
    const lab = new Lab();
    try {
      await lab.#build();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  namespace(host: string): string {
    return `${this.#prefix}${host}`;
  }

  /** Gives a person another access line; what they had open is cut. */
  async connect(side: Side, kind: AccessKind, wire: Wire | null): Promise<void> {
    await this.#unplug(side);
    const { router, direct, lan } = SIDES[side];
    const isPublic = kind === "public";
    this.#isPublic.set(side, isPublic);
    const far = this.namespace(isPublic ? "inet" : router);
    const farEnd = isPublic ? `host-${side}` : "lan";
    await run("ip", [
      "link",
      "add",
      "eth0",
      "netns",
      this.namespace(side),
      "type",
      "veth",
      "peer",
      "name",
      farEnd,
      "netns",
      far,
    ]);
    if (isPublic) {
      await this.#ip("inet", "link", "set", farEnd, "master", "br0", "up");
      await this.#address(side, "eth0", direct, GATEWAY);
    } else {
      await this.#address(router, "lan", `${lan}.1`, null);
      await this.#address(side, "eth0", `${lan}.10`, `${lan}.1`);
    }
    const rules = routerRules(kind, `${lan}.10`);
    await run("ip", ["netns", "exec", this.namespace(router), "nft", "-f", "-"], rules);
    await this.forgetMappings(side);
    if (wire !== null) await this.#layWire(side, isPublic ? farEnd : `wan-${side}`, wire);
  }

  /** As a home router does that is restarted. */
  async forgetMappings(side: Side): Promise<void> {
    await tryRun("ip", ["netns", "exec", this.namespace(SIDES[side].router), "conntrack", "-F"]);
  }

  /** Between the host or its router and the provider; neither loses its addresses. */
  async pullCable(side: Side): Promise<void> {
    await this.#ip("inet", "link", "set", this.#providersEnd(side), "down");
  }

  async plugIn(side: Side): Promise<void> {
    await this.#ip("inet", "link", "set", this.#providersEnd(side), "up");
  }

  /** Ends every process inside, then the namespaces. */
  async close(): Promise<void> {
    for (const wire of this.#wires.values()) await wire.end();
    for (const host of this.#hosts()) await takeDown(this.namespace(host));
  }

  async #build(): Promise<void> {
    for (const host of this.#hosts()) {
      await run("ip", ["netns", "add", this.namespace(host)]);
      await this.#sysctl(host, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
      await this.#ip(host, "link", "set", "lo", "up");
    }
    await this.#ip("inet", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0");
    // The default gateway of all: it answers ARP and forwards nothing.
    await this.#address("inet", "br0", GATEWAY, null);
    for (const [host, address] of Object.entries(PUBLIC)) {
      await this.#plugIntoBridge(host, "eth0", host);
      await this.#address(host, "eth0", address, GATEWAY);
    }
    for (const [side, { router, wan }] of Object.entries(SIDES)) {
      await this.#plugIntoBridge(router, "wan", `wan-${side}`);
      await this.#address(router, "wan", wan, GATEWAY);
      // A connection whose mapping is lost stays lost.
      await this.#sysctl(router, "net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_tcp_loose=0");
    }
  }

  #hosts(): string[] {
    return ["inet", ...Object.keys(PUBLIC), ...Object.values(SIDES).map(({ router }) => router), ...Object.keys(SIDES)];
  }

  async #plugIntoBridge(host: string, device: string, bridgeEnd: string): Promise<void> {
    const [own, inet] = [this.namespace(host), this.namespace("inet")];
    await run("ip", ["link", "add", device, "netns", own, "type", "veth", "peer", "name", bridgeEnd, "netns", inet]);
    await this.#ip("inet", "link", "set", bridgeEnd, "master", "br0", "up");
  }

  async #address(host: string, device: string, address: string, gateway: string | null): Promise<void> {
    await this.#ip(host, "addr", "add", `${address}/24`, "dev", device);
    await this.#ip(host, "link", "set", device, "up");
    if (gateway !== null) await this.#ip(host, "route", "add", "default", "via", gateway);
  }

  async #unplug(side: Side): Promise<void> {
    await this.#wires.get(side)?.end();
    this.#wires.delete(side);
    await tryRun("ip", ["-n", this.namespace(side), "link", "del", "eth0"]);
    await tryRun("ip", ["-n", this.namespace("inet"), "link", "del", `wire-${side}`]);
    await this.#ip("inet", "link", "set", `wan-${side}`, "master", "br0");
  }

  #providersEnd(side: Side): string {
    if (this.#wires.has(side)) return `wire-${side}-br`;
    return this.#isPublic.get(side) ? `host-${side}` : `wan-${side}`;
  }

  /** Puts a process between the line and the bridge: kernels without sch_netem have no delay of their own. */
  async #layWire(side: Side, device: string, { delayMs, jitterMs, loss }: Wire): Promise<void> {
    const end = `wire-${side}`;
    await this.#ip("inet", "link", "set", device, "nomaster");
    await this.#ip("inet", "link", "add", end, "type", "veth", "peer", "name", `${end}-br`);
    await this.#ip("inet", "link", "set", end, "up");
    await this.#ip("inet", "link", "set", `${end}-br`, "master", "br0", "up");
    const args = [device, end, String(delayMs), String(jitterMs), String(loss)];
    this.#wires.set(side, await startInHost(this.namespace("inet"), "wire", args));
  }

  #ip(host: string, ...args: string[]): Promise<string> {
    return run("ip", ["-n", this.namespace(host), ...args]);
  }

  async #sysctl(host: string, ...settings: string[]): Promise<void> {
    await run("ip", ["netns", "exec", this.namespace(host), "sysctl", "-qw", ...settings]).catch(
      async (error: unknown) => {
        // A kernel without IPv6 has nothing to turn off.
        if ((await readFile("/proc/net/if_inet6", "utf8").catch(() => "")) !== "") throw error;
      },
    );
  }
}

/** A run that was killed could not take its namespaces down. */
async function sweep(): Promise<void> {
  const names = (await run("ip", ["netns", "list"])).matchAll(/^kith-(\d+)-\S+/gm);
  for (const [name, pid] of names) if (!isAlive(Number(pid))) await takeDown(name);
}

async function takeDown(namespace: string): Promise<void> {
  const pids = await run("ip", ["netns", "pids", namespace]).catch(() => "");
  for (const pid of pids.split("\n").filter((line) => line !== "")) endProcess(Number(pid));
  await tryRun("ip", ["netns", "del", namespace]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Only ever one that `ip netns pids` names in a namespace of ours. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}
