import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { MAX_WATCH_BATCH } from "../../protocol/supernode-api.ts";
import { SubscriptionSet } from "../../relay/links/subscription-set.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A far end that can be unreachable, or lose everything. */
function farEnd() {
  const end = {
    has: new Set<number>(),
    requests: [] as { add: number[]; remove: number[] }[],
    isUp: true,
    /** Links so far. */
    link: 0,
    failed: [] as number[],
    confirmed: [] as number[],
  };
  const set = new SubscriptionSet<number>({
    random: () => 0.5,
    async send(add, remove) {
      end.requests.push({ add, remove });
      const { link } = end;
      await new Promise((resolve) => setTimeout(resolve, 10));
      // A link takes the requests on it with it.
      if (!end.isUp || link !== end.link) throw new KithError("supernode-unreachable");
      for (const key of remove) end.has.delete(key);
      for (const key of add) end.has.add(key);
    },
    confirmed: (keys) => end.confirmed.push(...keys),
    failed: (keys) => end.failed.push(...keys),
  });
  return { end, set };
}

const sorted = (keys: Iterable<number>) => [...keys].sort((a, b) => a - b);

describe("a subscription set", () => {
  it("sends in one request what is wanted at once, in batches of at most a thousand", async () => {
    const { end, set } = farEnd();
    for (let key = 0; key < 2_500; key++) set.want(key);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end.requests.map(({ add }) => add.length)).toEqual([MAX_WATCH_BATCH, MAX_WATCH_BATCH, 500]);
    expect(end.has.size).toBe(2_500);
  });

  it("tries again with back-off when the far end does not answer, and says so", async () => {
    const { end, set } = farEnd();
    end.isUp = false;
    set.want(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(end.failed).toContain(1);
    expect(end.requests.length).toBeGreaterThan(3);
    expect(end.requests.length).toBeLessThan(20);
    end.isUp = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sorted(end.has)).toEqual([1]);
  });

  it("does not wait any longer once the far end has shown itself", async () => {
    const { end, set } = farEnd();
    end.isUp = false;
    set.want(1);
    await vi.advanceTimersByTimeAsync(50_000);
    end.isUp = true;
    set.hurry();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sorted(end.has)).toEqual([1]);
    const requests = end.requests.length;
    set.hurry();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(end.requests).toHaveLength(requests);
  });

  it("asks for everything again after the link was lost", async () => {
    const { end, set } = farEnd();
    set.want(1);
    set.want(2);
    await vi.advanceTimersByTimeAsync(100);
    end.has.clear();
    set.lost();
    expect(sorted(end.failed)).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sorted(end.has)).toEqual([1, 2]);
  });

  it("asks once more for what was given up and wanted again while it was on the way", async () => {
    const { end, set } = farEnd();
    set.want(1);
    await vi.advanceTimersByTimeAsync(5);
    set.unwant(1);
    set.want(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end.requests.map(({ add }) => add)).toEqual([[1], [1]]);
    expect(end.confirmed).toEqual([1]);
  });

  it("asks for nothing once it is closed", async () => {
    const { end, set } = farEnd();
    set.want(1);
    set.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(end.requests).toEqual([]);
  });

  it("ends up telling the far end exactly what is wanted, whatever happened on the way", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("want" as const), key: fc.nat(5) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("unwant" as const), key: fc.nat(5) }) },
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(400) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("down" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("hurry" as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: "max" }), async (steps) => {
        const { end, set } = farEnd();
        const wanted = new Set<number>();
        for (const one of steps) {
          if (one.kind === "want") set.want(one.key);
          if (one.kind === "want") wanted.add(one.key);
          if (one.kind === "unwant") set.unwant(one.key);
          if (one.kind === "unwant") wanted.delete(one.key);
          if (one.kind === "wait") await vi.advanceTimersByTimeAsync(one.ms);
          if (one.kind === "down") end.isUp = !end.isUp;
          if (one.kind === "hurry") set.hurry();
          if (one.kind === "lose") {
            end.link++;
            end.has.clear();
            set.lost();
          }
        }
        end.isUp = true;
        await vi.advanceTimersByTimeAsync(120_000);
        expect(sorted(end.has)).toEqual(sorted(wanted));
      }),
      { numRuns: 200 },
    );
  });
});
