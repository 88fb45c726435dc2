import { describe, expect, it } from "vitest";
import { Background } from "../../main/core/background.ts";
import { type ClientOptions, DEFAULT_TIMES, type Surroundings } from "../../main/core/client-options.ts";
import { NetworkClock } from "../../main/core/clock.ts";
import { silentLog } from "../../main/core/log.ts";
import { Routes } from "../../main/core/proxy.ts";
import { DesktopSupernode } from "../../main/supernode/desktop-supernode.ts";
import { obstacleTo } from "../../main/supernode/supernode-circumstances.ts";
import type { SupernodeHost, SupernodeProcessListener, Supply } from "../../main/supernode/supernode-host.ts";
import type { SupernodeSponsor } from "../../main/supernode/supernode-run.ts";
import type { SupernodeOrder, SupernodeReport } from "../../protocol/desktop-supernode.ts";
import { KithError } from "../../protocol/errors.ts";
import { NetworkId } from "../../protocol/identifiers.ts";
import type { Settings, SupernodeView } from "../../protocol/ipc-schema.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { until } from "../support/until.ts";

const NETWORK_KEY = NetworkId.parse("0a".repeat(20));
const REPORT: SupernodeReport = {
  stage: { kind: "member" },
  port: 4_433,
  attached: 3,
  members: 8,
  relays: true,
  relayedCallEnds: 1,
  relayedBytesThisMonth: 5_000,
};
const ON_MAINS: Supply = { onBattery: false, metered: "unknown" };

type Offer = { kind: "accepted"; host: string } | { kind: "not-wanted" } | { kind: "elsewhere" };

/** A process that does as it is told, unless the test says otherwise. */
class FakeProcess {
  readonly orders: SupernodeOrder[] = [];
  readonly listener: SupernodeProcessListener;
  isDeaf = false;
  isGone = false;

  constructor(listener: SupernodeProcessListener) {
    this.listener = listener;
  }

  tell(order: SupernodeOrder): void {
    this.orders.push(order);
    if (order.kind === "stop" && !this.isDeaf) this.kill();
  }

  kill(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.listener.ended();
  }
}

function scene() {
  const clock = new ManualClock();
  const processes: FakeProcess[] = [];
  const requests: string[] = [];
  const views: SupernodeView[] = [];
  const supplyListeners = new Set<() => void>();
  const state = {
    settings: {
      hideAddress: false,
      beSupernode: false,
      supernodeMbit: 4,
      supernodeMonthGb: 20,
      supernodePort: 0,
    } as Settings,
    supply: ON_MAINS,
    offer: { kind: "accepted", host: "198.51.100.7" } as Offer,
    isOpen: true,
    isSignedIn: true,
  };
  const host: SupernodeHost = {
    launch(listener) {
      const process = new FakeProcess(listener);
      processes.push(process);
      return process;
    },
    supply: () => state.supply,
    onSupplyChange(listener) {
      supplyListeners.add(listener);
      return () => supplyListeners.delete(listener);
    },
  };
  const request = async (name: string, input: { listed?: boolean }) => {
    requests.push(name === "listSupernode" ? `${name} ${input.listed}` : name);
    if (!state.isOpen) throw new KithError("login-server-unreachable", { address: "" });
    if (name === "supernodeOffer") return state.offer;
    return name === "enrolSupernode" ? { token: "a ticket" } : {};
  };
  const sponsor = (): SupernodeSponsor | null =>
    state.isSignedIn
      ? {
          loginServer: "https://login.example",
          networkKey: NETWORK_KEY,
          account: "network alice",
          isOpen: state.isOpen,
          request: request as SupernodeSponsor["request"],
        }
      : null;
  const surroundings: Surroundings = {
    clock: new NetworkClock({
      now: () => clock.now(),
      monotonic: () => clock.now(),
      after: (ms, action) => clock.after(ms, action),
    }),
    random: (length) => new Uint8Array(length),
    fetch,
    routes: new Routes(undefined as ClientOptions["findProxy"]),
    keyStretching: "memory-constrained",
    times: DEFAULT_TIMES,
    log: silentLog,
    background: new Background(silentLog),
  };
  const supernode = new DesktopSupernode({
    host,
    dataFolder: "/profile",
    settings: () => state.settings,
    sponsor,
    surroundings,
    push: (name, value) => {
      if (name === "supernode") views.push(value as SupernodeView);
    },
  });
  const settled = () => surroundings.background.settled();
  return {
    clock,
    processes,
    requests,
    views,
    state,
    supernode,
    settled,
    async choose(changes: Partial<Settings>) {
      state.settings = { ...state.settings, ...changes };
      supernode.reconsider();
      await settled();
    },
    async supply(supply: Supply) {
      state.supply = supply;
      for (const listener of supplyListeners) listener();
      await settled();
    },
    get last(): FakeProcess {
      const process = processes.at(-1);
      if (!process) throw new Error("no process was launched");
      return process;
    },
  };
}

async function running() {
  const stage = scene();
  await stage.choose({ beSupernode: true });
  stage.last.listener.news({ kind: "report", report: REPORT });
  await stage.settled();
  return stage;
}

describe("this computer as a supernode", () => {
  it("runs nothing until its user agrees", async () => {
    const { supernode, processes, settled, requests } = scene();
    supernode.reconsider();
    await settled();
    expect([processes.length, requests.length, supernode.view.phase]).toEqual([0, 0, "off"]);
  });

  it("gives the process a folder, an address, a port and caps, and nothing that tells whose it is", async () => {
    const stage = scene();
    await stage.choose({ beSupernode: true, supernodeMbit: 8, supernodeMonthGb: 50, supernodePort: 4_433 });
    const [start] = stage.last.orders;
    expect(start).toEqual({
      kind: "start",
      dataFolder: expect.stringMatching(/^\/profile\/supernode\/[0-9a-f]{16}$/),
      loginServer: "https://login.example",
      networkKey: NETWORK_KEY,
      host: "198.51.100.7",
      port: 4_433,
      caps: { bytesPerSecond: 1_000_000, bytesPerMonth: 50e9 },
    });
    stage.last.listener.news({ kind: "needs-token" });
    await stage.settled();
    expect(stage.last.orders.at(-1)).toEqual({ kind: "token", token: "a ticket" });
  });

  it("is listed once others count it as a member, and shows what it does", async () => {
    const { supernode, requests } = await running();
    expect(requests).toEqual(["supernodeOffer", "listSupernode true"]);
    const { stage: _stage, ...figures } = REPORT;
    expect(supernode.view).toEqual({ phase: "running", host: "198.51.100.7", ...figures });
  });

  it("says that it is not reachable, and is not listed then", async () => {
    const stage = scene();
    await stage.choose({ beSupernode: true });
    stage.last.listener.news({ kind: "report", report: { ...REPORT, stage: { kind: "unreachable", by: "udp" } } });
    await stage.settled();
    expect(stage.supernode.view).toEqual({ phase: "unreachable", by: "udp", host: "198.51.100.7", port: 4_433 });
    expect(stage.requests).toEqual(["supernodeOffer"]);
    stage.last.listener.news({ kind: "report", report: REPORT });
    await stage.settled();
    stage.last.listener.news({ kind: "report", report: { ...REPORT, stage: { kind: "unreachable", by: "tcp" } } });
    await stage.settled();
    expect(stage.requests).toEqual(["supernodeOffer", "listSupernode true", "listSupernode false"]);
  });

  it("stops at once when it is switched off, and leaves the list", async () => {
    const stage = await running();
    await stage.choose({ beSupernode: false });
    expect(stage.supernode.view).toEqual({ phase: "off" });
    expect(stage.last.isGone).toBe(true);
    expect(stage.requests.at(-1)).toBe("listSupernode false");
  });

  it("is ended by force if it does not stop in time", async () => {
    const stage = await running();
    stage.last.isDeaf = true;
    await stage.choose({ beSupernode: false });
    expect(stage.last.isGone).toBe(false);
    await stage.clock.advance(3_000);
    expect(stage.last.isGone).toBe(true);
  });

  it.each([
    ["battery", { onBattery: true, metered: "no" }],
    ["metered", { onBattery: false, metered: "yes" }],
  ] as const)("stops for as long as there is an obstacle: %s", async (obstacle, supply) => {
    const stage = await running();
    await stage.supply(supply);
    expect(stage.supernode.view).toEqual({ phase: "waiting", obstacle });
    expect(stage.last.isGone).toBe(true);
    await stage.supply(ON_MAINS);
    expect(stage.processes).toHaveLength(2);
  });

  it.each(["not-wanted", "elsewhere"] as const)(
    "waits where the network says %s, and asks again later",
    async (kind) => {
      const stage = scene();
      stage.state.offer = { kind };
      await stage.choose({ beSupernode: true });
      expect(stage.supernode.view).toEqual({ phase: "waiting", obstacle: kind });
      stage.state.offer = { kind: "accepted", host: "198.51.100.7" };
      await stage.clock.advance(60_000);
      await until(() => stage.processes.length === 1);
    },
  );

  it("goes on while the login server is away, and stops when its account leaves", async () => {
    const stage = await running();
    stage.state.isOpen = false;
    stage.supernode.reconsider();
    expect(stage.supernode.view.phase).toBe("running");
    stage.state.isOpen = true;
    let isLeft = false;
    await stage.supernode.setAside(async () => {
      expect(stage.last.isGone).toBe(true);
      expect(stage.requests.at(-1)).toBe("listSupernode false");
      stage.supernode.reconsider();
      expect(stage.processes).toHaveLength(1);
      stage.state.isSignedIn = false;
      isLeft = true;
    });
    expect(isLeft).toBe(true);
    expect(stage.supernode.view).toEqual({ phase: "waiting", obstacle: "no-session" });
  });

  it("starts over when its address or what it may use has changed", async () => {
    const stage = await running();
    stage.state.offer = { kind: "accepted", host: "203.0.113.9" };
    stage.supernode.reconsider();
    await until(() => stage.processes.length === 2);
    expect(stage.processes[0]?.isGone).toBe(true);
    expect(stage.last.orders[0]).toMatchObject({ host: "203.0.113.9" });
    await stage.choose({ supernodeMonthGb: 1 });
    await until(() => stage.processes.length === 3);
  });

  it("says why it has ended by itself, and tries again after a while", async () => {
    const stage = await running();
    stage.last.listener.news({ kind: "failed", notice: { code: "port-in-use", message: "Taken." } });
    stage.last.kill();
    expect(stage.supernode.view).toEqual({ phase: "failed", notice: { code: "port-in-use", message: "Taken." } });
    await stage.clock.advance(60_000);
    await until(() => stage.processes.length === 2);
    stage.last.kill();
    expect(stage.supernode.view).toMatchObject({ phase: "failed", notice: { code: "supernode-ended" } });
  });

  it("tells the list every hour that it is still there", async () => {
    const stage = await running();
    for (let hour = 0; hour < 3; hour++) {
      await stage.clock.advance(3_600_001);
      stage.last.listener.news({ kind: "report", report: REPORT });
      stage.last.listener.news({ kind: "report", report: REPORT });
      await stage.settled();
    }
    expect(stage.requests.filter((name) => name === "listSupernode true")).toHaveLength(4);
  });

  it("takes no word from a system that does not know for an obstacle", () => {
    const open = { isAllowed: true, isSessionOpen: true };
    expect(obstacleTo({ ...open, supply: ON_MAINS })).toBeNull();
    expect(obstacleTo({ ...open, supply: { onBattery: true, metered: "unknown" } })).toBe("battery");
    expect(obstacleTo({ ...open, isSessionOpen: false, supply: ON_MAINS })).toBe("no-session");
    expect(obstacleTo({ isAllowed: false, isSessionOpen: true, supply: ON_MAINS })).toBe("off");
  });
});
