import { describe, expect, test } from "vitest";
import { Turnstile } from "../../relay/ports/turnstile.ts";

/** A turnstile of at most sixty places, by a clock and a load of our own. */
function turnstile() {
  let now = 0;
  const machine = { load: 0 };
  const finish: (() => void)[] = [];
  const gate = new Turnstile({ most: 60, clock: () => now, load: () => machine.load });
  /** Begins as much as is let in. @returns how much is in progress then */
  const fill = () => {
    for (let places = finish.length; ; places++) {
      gate.pass(() => new Promise<void>((resolve) => finish.push(resolve))).catch(() => undefined);
      if (finish.length === places) return places;
    }
  };
  const finishAll = async (tookMs: number) => {
    now += tookMs;
    for (const done of finish.splice(0)) done();
    await new Promise(setImmediate);
  };
  return { machine, fill, finishAll, pass: <T>(work: () => Promise<T>) => gate.pass(work) };
}

describe("a turnstile", () => {
  test("begins with half of its places, and refuses whoever comes when they are taken", async () => {
    const { fill, pass } = turnstile();
    expect(fill()).toBe(30);
    await expect(pass(async () => 1)).rejects.toMatchObject({ code: "rate-limited", details: { seconds: 2 } });
  });

  test("has more places the more is done promptly, up to its limit", async () => {
    const { fill, finishAll } = turnstile();
    fill();
    await finishAll(2_000);
    expect(fill()).toBe(60);
    await finishAll(0);
    expect(fill()).toBe(60);
  });

  test("has fewer places when the machine is too slow for so much, once for each crowd", async () => {
    const { machine, fill, finishAll } = turnstile();
    fill();
    machine.load = 1;
    await finishAll(5_000);
    expect(fill()).toBe(21);
    for (let round = 0; round < 10; round++) {
      await finishAll(5_000);
      fill();
    }
    expect(fill()).toBe(16);
  });

  test("keeps its places when it is others that are slow", async () => {
    const { fill, finishAll } = turnstile();
    fill();
    await finishAll(6_000);
    expect(fill()).toBe(30);
  });

  test("gives the place back when the work fails", async () => {
    const { fill, pass } = turnstile();
    await expect(pass(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(fill()).toBe(31);
  });
});
