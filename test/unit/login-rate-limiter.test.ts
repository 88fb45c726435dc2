import fc from "fast-check";
import { expect, test } from "vitest";
import { RateLimiter } from "../../login-server/limits/rate-limiter.ts";
import { KithError } from "../../protocol/errors.ts";

function attempt(limiter: RateLimiter, key: string): number {
  try {
    limiter.take(key);
    return 0;
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== "rate-limited") throw error;
    return Number(error.details.seconds);
  }
}

test("a burst is granted whole, and one more is not", () => {
  const limiter = new RateLimiter({ burst: 5, perSecond: 1 }, () => 1_000);
  expect(Array.from({ length: 6 }, () => attempt(limiter, "a"))).toEqual([0, 0, 0, 0, 0, 1]);
  expect(attempt(limiter, "b")).toBe(0);
});

test("waiting for the seconds of a refusal is enough, however often one has knocked before", () => {
  const rate = fc.record({ burst: fc.integer({ min: 1, max: 20 }), perSecond: fc.constantFrom(0.1, 0.5, 1, 3, 10) });
  fc.assert(
    fc.property(rate, fc.integer({ min: 1, max: 60 }), (options, knocks) => {
      let now = 0;
      const limiter = new RateLimiter(options, () => now);
      let seconds = 0;
      for (let knock = 0; knock < options.burst + knocks; knock++) seconds = attempt(limiter, "a");
      now += seconds * 1_000;
      expect(attempt(limiter, "a")).toBe(0);
    }),
  );
});

test("in any time no more is granted than the burst and the rate allow", () => {
  const rate = fc.record({ burst: fc.integer({ min: 1, max: 10 }), perSecond: fc.constantFrom(0.5, 1, 4) });
  fc.assert(
    fc.property(rate, fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 80 }), (options, pauses) => {
      let now = 5_000;
      const limiter = new RateLimiter(options, () => now);
      const grantedAt: number[] = [];
      for (const pause of pauses) {
        now += pause;
        if (attempt(limiter, "a") === 0) grantedAt.push(now);
      }
      for (const [first, from] of grantedAt.entries()) {
        for (const [last, to] of grantedAt.entries()) {
          if (last < first) continue;
          const allowed = options.burst + ((to - from) / 1_000) * options.perSecond;
          expect(last - first + 1).toBeLessThanOrEqual(allowed + 0.001);
        }
      }
    }),
  );
});

test("a clock that is set back keeps nobody out for as long as it was ahead", () => {
  let now = 3_600_000;
  const limiter = new RateLimiter({ burst: 3, perSecond: 0.5 }, () => now);
  expect(Array.from({ length: 4 }, () => attempt(limiter, "a"))).toEqual([0, 0, 0, 2]);
  now = 0;
  expect([attempt(limiter, "a"), attempt(limiter, "a")]).toEqual([0, 2]);
  now += 2_000;
  expect(attempt(limiter, "a")).toBe(0);
});

test("a flood of addresses does not fill the memory, nor give the flooder a fresh bucket", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 0.001 }, () => 0, 1_000);
  for (let index = 0; index < 5_000; index++) limiter.take(`address ${index}`);
  expect(limiter.size).toBe(1_000);
  expect(attempt(limiter, "address 4999")).toBeGreaterThan(0);
});

test("what was taken elsewhere counts here, and never more than empties the bucket", () => {
  const told: string[] = [];
  const sharing = { disguise: (key: string) => `hidden ${key}`, taken: (key: string) => void told.push(key) };
  const limiter = new RateLimiter({ burst: 3, perSecond: 1 }, () => 0, undefined, sharing);
  expect(attempt(limiter, "a")).toBe(0);
  expect(told).toEqual(["hidden a"]);
  limiter.takenElsewhere("hidden a", 1);
  expect(attempt(limiter, "a")).toBe(0);
  limiter.takenElsewhere("hidden a", 1_000);
  expect(attempt(limiter, "a")).toBe(1);
  expect(told).toHaveLength(2);
});
