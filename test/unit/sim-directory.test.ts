/** The whole directory under a virtual clock, small enough for every run: real gossip, records, replication, look-ups. */
import { describe, expect, it } from "vitest";
import { DEFAULT_RUN, simulate } from "../sim/sim-run.ts";

const SMALL = { ...DEFAULT_RUN, supernodes: 60, minutes: 3, usersPerSupernode: 10, loss: 0.01, lookUpsPerSecond: 5 };

describe("a simulated network that loses one packet in a hundred", () => {
  it("survives the death of 30 % at once: all are noticed, nobody else is, and no record is lost", () => {
    const figures = simulate({ ...SMALL, kill: 0.3 });
    expect(figures.kill?.killed).toBeGreaterThan(10);
    expect(figures.falseDeaths).toBe(0);
    expect(figures.detectSecondsMedian).toBeLessThan(8);
    expect(figures.detectSecondsP99).toBeLessThan(12);
    expect(figures.kill?.repairedSeconds).toBeLessThanOrEqual(15);
    expect(figures.lostUsers).toBe(0);
    expect(figures.foundShare).toBeGreaterThan(0.999);
  });

  it("is not talked to death about a few machines that are late with everything", () => {
    const figures = simulate({ ...SMALL, lookUpsPerSecond: 1, slow: 0.1 });
    // Before others learned to wait longer for those, it was four kilobytes a second, and no end to it.
    expect(figures.churn.refutationsPerHour).toBeGreaterThan(0);
    expect(figures.churn.gossipBytes).toBeLessThan(2_000);
    expect(figures.falseDeaths).toBe(0);
  });

  it("finds itself again after a quarter of it was cut off, and loses nothing to churn", () => {
    const figures = simulate({
      ...SMALL,
      supernodes: 40,
      minutes: 9,
      partition: 0.25,
      partitionMinutes: 3,
      medianSessionMs: 2 * 3_600_000,
    });
    expect(figures.partition?.cutOff).toBeGreaterThan(0);
    expect(figures.partition?.knownSeconds).toBeLessThanOrEqual(60);
    expect(figures.partition?.repairedSeconds).not.toBeNull();
    expect(figures.falseDeaths).toBe(0);
    expect(figures.lostUsers).toBe(0);
    expect(figures.missingReplicasShare).toBe(0);
  });

  it("goes the same way every time for the same seed, and another for another", () => {
    const short = { ...SMALL, supernodes: 20, minutes: 1.5, kill: 0.3 };
    expect(simulate({ ...short, seed: 5 })).toEqual(simulate({ ...short, seed: 5 }));
    expect(simulate({ ...short, seed: 6 })).not.toEqual(simulate({ ...short, seed: 5 }));
  });
});
