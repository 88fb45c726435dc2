import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SignalLane } from "../../main/calls/signal-lane.ts";
import type { CallSignal } from "../../protocol/call-signal.ts";
import { CallId, MessageId } from "../../protocol/identifiers.ts";
import { ManualClock } from "../support/manual-clock.ts";

const ROUND_TRIP_MS = 200;
const callId = CallId.parse("1".repeat(32));
const hold = (held: boolean): CallSignal => ({ kind: "hold", callId, held });
const SIGNALS: readonly CallSignal[] = [{ kind: "accept", callId }, hold(true), hold(false), hold(true)];

type Fate = "taken" | "lost" | "unconfirmed" | "gone";

/** A device at the end of a way that keeps the order, and loses what it is told to. */
function way(fates: Fate[] = []) {
  const clock = new ManualClock();
  const taken: CallSignal[] = [];
  const seen = new Set<MessageId>();
  let ids = 0;
  const lane = new SignalLane({
    clock: { monotonic: () => clock.now(), after: (ms, action) => clock.after(ms, action) },
    newId: () => MessageId.parse((ids++).toString(16).padStart(32, "0")),
    transmit: (id, signal) => {
      const fate = fates.shift() ?? "taken";
      return new Promise((resolve) => {
        clock.after(ROUND_TRIP_MS / 2, () => {
          if (fate === "lost" || fate === "gone" || seen.has(id)) return;
          seen.add(id);
          taken.push(signal);
        });
        clock.after(ROUND_TRIP_MS, () => resolve(fate === "gone" ? null : fate === "taken"));
      });
    },
  });
  return { lane, clock, taken };
}

describe("signals to one device", () => {
  test("do not wait for one another", async () => {
    const { lane, clock, taken } = way();
    const sent = SIGNALS.map((signal) => lane.send(signal));
    await clock.advance(ROUND_TRIP_MS / 2);
    expect(taken).toEqual(SIGNALS);
    await clock.advance(ROUND_TRIP_MS / 2);
    expect(await Promise.all(sent)).toEqual([true, true, true, true]);
    expect(lane.isEmpty).toBe(true);
  });

  test("are taken in order whatever is lost on the way, the last ones last", async () => {
    const fate = fc.constantFrom<Fate>("taken", "lost", "unconfirmed");
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { maxLength: 12 }), async (fates) => {
        const { lane, clock, taken } = way([...fates]);
        const sent = SIGNALS.map((signal) => lane.send(signal));
        await clock.advance(12_000);
        expect(await Promise.all(sent)).toEqual([true, true, true, true]);
        const lastTaken = SIGNALS.map((signal) => taken.lastIndexOf(signal));
        expect(lastTaken).toEqual(lastTaken.toSorted((a, b) => a - b));
        expect(lastTaken[0]).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("that came but were not confirmed are taken once", async () => {
    const { lane, clock, taken } = way(["unconfirmed", "unconfirmed"]);
    const sent = lane.send(hold(true));
    await clock.advance(5_000);
    expect(await sent).toBe(true);
    expect(taken).toEqual([hold(true)]);
  });

  test("are given up after a while, and at once when the device is gone", async () => {
    const lost = way(Array.from({ length: 100 }, () => "lost"));
    const sent = lost.lane.send(hold(true));
    await lost.clock.advance(16_000);
    expect(await sent).toBe(false);
    const gone = way(["gone"]);
    const toNobody = gone.lane.send(hold(true));
    await gone.clock.advance(ROUND_TRIP_MS);
    expect(await toNobody).toBe(false);
    expect(gone.lane.isEmpty).toBe(true);
  });

  test("are all given up when it stops", async () => {
    const { lane, clock, taken } = way(["lost", "lost"]);
    const sent = [lane.send(hold(true)), lane.send(hold(false))];
    await clock.advance(ROUND_TRIP_MS);
    lane.stop();
    expect(await Promise.all(sent)).toEqual([false, false]);
    await clock.advance(5_000);
    expect(taken).toEqual([]);
  });
});
