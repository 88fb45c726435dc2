import { describe, expect, test, vi } from "vitest";
import { Pulse } from "../../main/directory/pulse.ts";
import { KithError } from "../../protocol/errors.ts";
import { ManualClock } from "../support/manual-clock.ts";

type Answer = { readonly afterMs: number; readonly error?: KithError };

/** A pulse over one link that answers pings so. */
function pulse(answer: Answer | null, roundTripMs = 50) {
  const clock = new ManualClock();
  const abandon = vi.fn<() => void>();
  const request = vi.fn(
    () =>
      new Promise<never>((resolve, reject) => {
        if (answer === null) return;
        const { afterMs, error } = answer;
        clock.after(afterMs, () => (error === undefined ? resolve({} as never) : reject(error)));
      }),
  );
  const timed = { now: () => clock.now(), monotonic: () => clock.now(), after: clock.after.bind(clock) };
  return { clock, abandon, request, pulse: new Pulse(() => [{ request, abandon, roundTripMs }], timed) };
}

describe("when the sound has stopped", () => {
  test("a silent link is given up within a second", async () => {
    const silent = pulse(null);
    silent.pulse.alarm();
    await silent.clock.advance(1_000);
    expect(silent.abandon).toHaveBeenCalledOnce();
  });

  test("one that is far away is given the time of four round trips", async () => {
    const far = pulse({ afterMs: 1_500 }, 600);
    far.pulse.alarm();
    await far.clock.advance(10_000);
    expect(far.abandon).not.toHaveBeenCalled();
  });

  test.each<[string, Answer]>([
    ["an answer", { afterMs: 100 }],
    ["a refusal", { afterMs: 100, error: new KithError("internal") }],
  ])("%s is a sign of life", async (_, answer) => {
    const alive = pulse(answer);
    alive.pulse.alarm();
    await alive.clock.advance(10_000);
    expect(alive.abandon).not.toHaveBeenCalled();
  });
});

describe("during a call", () => {
  test("a link that falls silent is found out without an alarm, and not felt any more after the call", async () => {
    const silent = pulse(null);
    silent.pulse.start();
    await silent.clock.advance(10_000);
    expect(silent.abandon).toHaveBeenCalledOnce();
    silent.pulse.stop();
    await silent.clock.advance(10_000);
    const felt = silent.request.mock.calls.length;
    await silent.clock.advance(60_000);
    expect(silent.request).toHaveBeenCalledTimes(felt);
  });
});
