import { describe, expect, it } from "vitest";
import { SteadyClock } from "../../relay/steady-clock.ts";

describe("a steady clock", () => {
  const START = 1_800_000_000_000;
  const clockOf = () => {
    const machine = { wall: START, monotonic: 5 };
    const clock = new SteadyClock(
      () => machine.wall,
      () => machine.monotonic,
    );
    const pass = (ms: number) => {
      machine.wall += ms;
      machine.monotonic += ms;
    };
    return { machine, clock, pass };
  };

  it("follows the wall clock", () => {
    const { clock, pass } = clockOf();
    pass(1_500);
    expect(clock.now()).toBe(START + 1_500);
  });

  it("goes on as time passes when the wall clock is set back", () => {
    const { machine, clock, pass } = clockOf();
    pass(1_000);
    expect(clock.now()).toBe(START + 1_000);
    machine.wall -= 3_600_000;
    expect(clock.now()).toBe(START + 1_000);
    pass(2_000);
    expect(clock.now()).toBe(START + 3_000);
  });

  it("is right again after a sleep that the monotonic clock has not seen", () => {
    const { machine, clock } = clockOf();
    machine.wall += 8 * 3_600_000;
    expect(clock.now()).toBe(START + 8 * 3_600_000);
  });
});
