import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SupernodeId } from "../../protocol/identifiers.ts";
import { type LinkEffect, type LinkEvent, type LinkState, STOPPED, stepLink } from "../../protocol/link-machine.ts";

const ids = ["a", "b", "c"].map((digit) => SupernodeId.parse(digit.repeat(40)));
const [first, second, third] = ids as [SupernodeId, SupernodeId, SupernodeId];

/** The machine with the world around it: what is open, what is under way, what time is waited for. */
class World {
  state: LinkState = STOPPED;
  readonly open = new Set<SupernodeId>();
  attempts = 0;
  timers = 0;
  home: SupernodeId | null = null;
  readonly effects: LinkEffect[] = [];

  step(event: LinkEvent): readonly LinkEffect[] {
    const { state, effects } = stepLink(this.state, event);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
    this.effects.push(...effects);
    return effects;
  }

  /** What can really happen next of what a test wishes for. */
  tryTo(event: LinkEvent): void {
    switch (event.type) {
      case "opened":
        if (this.attempts === 0 || this.open.has(event.supernodeId)) return;
        this.attempts--;
        this.open.add(event.supernodeId);
        break;
      case "open-failed":
        if (this.attempts === 0) return;
        this.attempts--;
        break;
      case "lost":
        if (!this.open.delete(event.supernodeId)) return;
        break;
      case "leaving":
        if (!this.open.has(event.supernodeId)) return;
        break;
      case "timer":
        if (this.timers === 0) return;
        this.timers--;
        break;
      default:
        break;
    }
    this.step(event);
  }

  #carryOut(effect: LinkEffect): void {
    switch (effect.type) {
      case "open":
        this.attempts++;
        break;
      case "close":
        expect(this.open.delete(effect.supernodeId), "closed what is not open").toBe(true);
        break;
      case "retire":
        expect(this.home, "retired the home").not.toBe(effect.supernodeId);
        expect(this.open.delete(effect.supernodeId), "retired what is not open").toBe(true);
        break;
      case "home":
        expect(this.open.has(effect.supernodeId), "made a closed link the home").toBe(true);
        this.home = effect.supernodeId;
        break;
      case "homeless":
        this.home = null;
        break;
      case "start-timer":
        this.timers++;
        break;
      case "stop-timer":
        this.timers--;
        break;
      default:
        effect satisfies never;
    }
  }
}

const supernodeId = fc.constantFrom(...ids);
const event: fc.Arbitrary<LinkEvent> = fc.oneof(
  fc.constant({ type: "start" } as const),
  { weight: 5, arbitrary: fc.record({ type: fc.constant("opened" as const), supernodeId }) },
  fc.constant({ type: "open-failed" } as const),
  { weight: 3, arbitrary: fc.record({ type: fc.constant("lost" as const), supernodeId }) },
  fc.record({ type: fc.constant("leaving" as const), supernodeId }),
  { weight: 2, arbitrary: fc.constant({ type: "timer" } as const) },
  fc.constant({ type: "more-known" } as const),
);

describe("whatever happens, in any order", () => {
  test("at most one attempt and one timer run, at most two links are open, and the home is one of them", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const world = new World();
        world.step({ type: "start" });
        for (const next of events) {
          world.tryTo(next);
          expect(world.attempts).toBeLessThanOrEqual(1);
          expect(world.timers).toBeLessThanOrEqual(1);
          expect(world.open.size).toBeLessThanOrEqual(2);
          if (world.home) expect(world.open.has(world.home)).toBe(true);
          expect("home" in world.state ? world.state.home : null).toBe(world.home);
          // It never rests without a standby: something is always on the way to one.
          expect(world.attempts + world.timers + (world.open.size === 2 ? 1 : 0)).toBe(1);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test("stopping closes everything, and an attempt that succeeds later is closed too", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const world = new World();
        for (const next of events) world.tryTo(next);
        world.step({ type: "stop" });
        expect(world.timers).toBe(0);
        expect(world.open.size).toBe(0);
        expect(world.home).toBeNull();
        world.tryTo({ type: "opened", supernodeId: first });
        expect(world.open.size).toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("losing the home", () => {
  const attached = (): World => {
    const world = new World();
    world.step({ type: "start" });
    world.tryTo({ type: "opened", supernodeId: first });
    world.tryTo({ type: "opened", supernodeId: second });
    return world;
  };

  test("makes the standby the home in the same step, and later looks for another standby elsewhere", () => {
    const world = attached();
    world.open.delete(first);
    expect(world.step({ type: "lost", supernodeId: first })).toEqual([
      { type: "home", supernodeId: second },
      { type: "start-timer", attempt: 5 },
    ]);
    expect(world.step({ type: "timer" })).toEqual([{ type: "open", except: second }]);
  });

  test("after trouble leaves the first places to those who have no home yet", () => {
    const world = new World();
    world.step({ type: "start" });
    world.tryTo({ type: "open-failed" });
    world.tryTo({ type: "timer" });
    world.tryTo({ type: "opened", supernodeId: first });
    expect(world.state).toMatchObject({ phase: "attached", standby: { phase: "waiting", attempt: 6 } });
  });

  test("without a standby waits before the next attempt, longer each time", () => {
    const world = attached();
    world.tryTo({ type: "lost", supernodeId: second });
    world.tryTo({ type: "lost", supernodeId: first });
    expect(world.state).toEqual({ phase: "waiting", attempt: 0 });
    for (const attempt of [1, 2, 3]) {
      world.tryTo({ type: "timer" });
      world.tryTo({ type: "open-failed" });
      expect(world.state).toEqual({ phase: "waiting", attempt });
    }
  });

  test("by its own announcement moves to the standby, and only then retires it", () => {
    const world = attached();
    expect(world.step({ type: "leaving", supernodeId: first }).slice(0, 2)).toEqual([
      { type: "home", supernodeId: second },
      { type: "retire", supernodeId: first },
    ]);
  });

  test("by its own announcement without a standby uses it until the next is there, which is sought at once", () => {
    const world = attached();
    world.tryTo({ type: "lost", supernodeId: second });
    expect(world.step({ type: "leaving", supernodeId: first })).toEqual([
      { type: "stop-timer" },
      { type: "open", except: first },
    ]);
    world.tryTo({ type: "open-failed" });
    world.tryTo({ type: "timer" });
    expect(world.home).toBe(first);
    world.tryTo({ type: "opened", supernodeId: third });
    expect(world.home).toBe(third);
    expect(world.open.has(first)).toBe(false);
  });

  test("uses the attempt that was under way for the standby", () => {
    const world = new World();
    world.step({ type: "start" });
    world.tryTo({ type: "opened", supernodeId: first });
    world.tryTo({ type: "lost", supernodeId: first });
    expect(world.attempts).toBe(1);
    world.tryTo({ type: "opened", supernodeId: third });
    expect(world.home).toBe(third);
  });
});
