import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { KITH_VERSION } from "../../protocol/version.ts";
import { RequestTally } from "../../relay/sockets/request-tally.ts";
import { callRelayFigures } from "../../relay/status/call-relay-figures.ts";
import type { FigureSection } from "../../relay/status/figures.ts";
import { metricsRegistry } from "../../relay/status/metrics.ts";
import { duration, perSecond, written } from "../../relay/status/numbers.ts";
import { PAGE_SCRIPT } from "../../relay/status/page-assets.ts";
import { Rates } from "../../relay/status/rates.ts";
import { statusPage } from "../../relay/status/status-page.ts";
import { UNLIMITED } from "../../relay/turn/relay-quota.ts";
import { newTurnCounters, type TurnCounters } from "../../relay/turn/turn-counters.ts";

const HOSTILE = `<img src=x onerror=alert(1)>"'&`;

const state = {
  supernodeId: "ab".repeat(20),
  host: HOSTILE,
  port: 443,
  version: "1.2.3",
  startedAt: 1_000_000,
  phase: "ready",
} as const;

const NO_RATES = { of: () => null };

function turn(change: Partial<TurnCounters> = {}) {
  const counters = { ...newTurnCounters(), ...change };
  return {
    ...counters,
    udp: "batched" as const,
    allocations: 12,
    streamClients: 3,
    month: "2026-11",
    bytesThisMonth: 25e9,
  };
}

describe("the operator's figures", () => {
  it("say the version that package.json says", () => {
    const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
    expect(manifest).toMatchObject({ version: KITH_VERSION });
  });

  it("are written in units that fit their size", () => {
    expect(["0", "999", "1000", "1234567"].map((text) => written(Number(text), "count"))).toEqual([
      "0",
      "999",
      "1\u2009000",
      "1\u2009234\u2009567",
    ]);
    expect(
      [0, 999, 1_000, 1_234, 12_345, 123_456, 999_999, 25e9, 4.2e15].map((bytes) => written(bytes, "bytes")),
    ).toEqual(["0 bytes", "999 bytes", "1 kB", "1.23 kB", "12.3 kB", "123 kB", "1 MB", "25 GB", "4\u2009200 TB"]);
    expect([0, 59, 60, 3_600, 3_700, 90_061, 864_000].map(duration)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "1 h",
      "1 h 1 min",
      "1 d 1 h",
      "10 d",
    ]);
    expect([
      perSecond(0, "count"),
      perSecond(0.25, "count"),
      perSecond(12.4, "count"),
      perSecond(1_500, "bytes"),
    ]).toEqual(["0/s", "0.3/s", "12/s", "1.5 kB/s"]);
  });

  it("show text only, whatever a name holds", () => {
    const sections: FigureSection[] = [
      {
        title: HOSTILE,
        figures: [
          {
            kind: "level",
            name: "a",
            label: HOSTILE,
            help: HOSTILE,
            unit: "count",
            isHeadline: true,
            limit: 2,
            read: () => 1,
          },
          {
            kind: "breakdown",
            name: "b",
            label: HOSTILE,
            help: HOSTILE,
            unit: "count",
            by: ["x"],
            read: () => [{ values: [HOSTILE], total: 1 }],
          },
        ],
      },
    ];
    const page = statusPage({ state, sections, rates: NO_RATES, now: 1_060_000 });
    expect(page).not.toContain("<img");
    expect(page.match(/&lt;img src=x onerror=alert\(1\)&gt;&quot;&#39;&amp;/g)?.length).toBeGreaterThanOrEqual(9);
    expect(page).toContain("1 min");
  });

  it("say since when the supernode has not answered, if it hangs and not only if it is gone", async () => {
    const time = { textContent: "" };
    const lost = { hidden: true, querySelector: () => time };
    let refresh: () => Promise<void> = async () => undefined;
    runInNewContext(PAGE_SCRIPT, {
      document: { hidden: false, getElementById: () => lost, addEventListener: () => undefined },
      setInterval: (task: () => Promise<void>) => {
        refresh = task;
      },
      // Nothing ever comes but the end of one's patience.
      AbortSignal: { timeout: () => AbortSignal.timeout(10) },
      fetch: (_: string, { signal }: RequestInit) =>
        new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    });
    await refresh();
    expect(lost.hidden).toBe(false);
    expect(time.textContent).not.toBe("");
  });

  it("come from one definition: what the page shows, the metrics say too, with their limits", async () => {
    const stats = turn({ bytesToPeers: 1_500, refused: { ...newTurnCounters().refused, "peer-forbidden": 7 } });
    const sections = [callRelayFigures(() => stats, { ...UNLIMITED, bytesPerMonth: 100e9 })];
    const page = statusPage({ state, sections, rates: NO_RATES, now: 1_000_000 });
    expect(page).toMatch(/Relayed this month.*25 GB.*of 100 GB.*<progress max="1" value="0.2500"/s);
    expect(page).toMatch(/Relayed ends of calls.*12.*no limit/s);
    expect(page).toMatch(/peer-forbidden<\/th><td>7</);
    expect(page).not.toContain("capacity");
    const metrics = await metricsRegistry(sections, "1.2.3").metrics();
    expect(metrics).toContain("\nkith_relay_month_bytes 25000000000\n");
    expect(metrics).toContain("\nkith_relay_month_bytes_limit 100000000000\n");
    expect(metrics).toContain("\nkith_relay_bytes_to_peers_total 1500\n");
    expect(metrics).toContain('\nkith_relay_refusals_total{reason="peer-forbidden"} 7\n');
    expect(metrics).toContain('\nkith_relay_refusals_total{reason="capacity"} 0\n');
    expect(metrics).not.toContain("kith_relay_allocations_limit");
    expect(metrics).toContain('\nkith_info{version="1.2.3"} 1\n');
    expect(metrics).toMatch(/\nprocess_cpu_user_seconds_total /);
  });

  it("are read anew at each reading", async () => {
    let total = 5;
    const sections: FigureSection[] = [
      { title: "", figures: [{ kind: "total", name: "x", label: "", help: "x", unit: "count", read: () => total }] },
    ];
    const registry = metricsRegistry(sections, "1");
    expect(await registry.metrics()).toContain("kith_x_total 5\n");
    total = 8;
    expect(await registry.metrics()).toContain("kith_x_total 8\n");
  });

  it("say how fast a total grows, over the last minute", () => {
    let total = 0;
    const rates = new Rates([
      { title: "", figures: [{ kind: "total", name: "x", label: "", help: "", unit: "count", read: () => total }] },
    ]);
    rates.sample(0);
    expect(rates.of("x")).toBeNull();
    total = 100;
    rates.sample(10_000);
    expect(rates.of("x")).toBe(10);
    for (let second = 20; second <= 90; second += 10) rates.sample(second * 1_000);
    expect(rates.of("x")).toBe(0);
  });

  it("count requests by who asked, and refusals by their code", () => {
    const tally = new RequestTally();
    const refusal = (code: string) => ({ ok: false as const, error: { code } });
    tally.count("node", { ok: true });
    tally.count("node", refusal("rate-limited"));
    tally.count("node", refusal("rate-limited"));
    tally.count("opening", refusal("certificate-forged"));
    expect(tally.answered()).toContainEqual({ values: ["node"], total: 1 });
    expect(tally.refused()).toEqual([
      { values: ["newcomer", "certificate-forged"], total: 1 },
      { values: ["node", "rate-limited"], total: 2 },
    ]);
  });
});
