import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CallEffect, CallEvent, CallTimer } from "../../protocol/call-event.ts";
import { stepCall } from "../../protocol/call-machine.ts";
import type { CallSignal, MediaSignal } from "../../protocol/call-signal.ts";
import { type CallState, IDLE, isLive, mayUseMicrophone } from "../../protocol/call-state.ts";
import { CallId, type DeviceAddress, DeviceId, UserId } from "../../protocol/identifiers.ts";

const RUNS = 5_000;
const callIds = ["1", "5", "9"].map((digit) => CallId.parse(digit.repeat(32)));
const users = ["a", "b"].map((digit) => UserId.parse(digit.repeat(40)));
const devices = ["c", "d"].map((digit) => DeviceId.parse(digit.repeat(32)));
const [callA, callB] = callIds as [CallId, CallId];
const [alice, bob] = users as [UserId, UserId];
const [laptop, phone] = devices as [DeviceId, DeviceId];

const callId = fc.constantFrom(...callIds);
const user = fc.constantFrom(...users);
const device: fc.Arbitrary<DeviceAddress> = fc.record({ userId: user, deviceId: fc.constantFrom(...devices) });
const oneCandidate: MediaSignal[] = [{ type: "candidate", candidate: { candidate: "candidate:1" } }];

const signal: fc.Arbitrary<CallSignal> = fc.oneof(
  fc.record({ kind: fc.constant("invite" as const), callId }),
  fc.record({ kind: fc.constant("ringing" as const), callId }),
  fc.record({ kind: fc.constant("accept" as const), callId }),
  fc.record({ kind: fc.constant("decline" as const), callId, reason: fc.constantFrom("declined", "busy") }),
  fc.record({
    kind: fc.constant("cancel" as const),
    callId,
    reason: fc.constantFrom("gave-up", "no-answer", "answered-elsewhere", "declined-elsewhere"),
  }),
  fc.record({ kind: fc.constant("hang-up" as const), callId, reason: fc.constantFrom("hung-up", "failed") }),
  fc.record({ kind: fc.constant("hold" as const), callId, held: fc.boolean() }),
  fc.record({ kind: fc.constant("media" as const), callId, signals: fc.constant(oneCandidate) }),
);

const event: fc.Arbitrary<CallEvent> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("dial" as const), callId, peer: user }) },
  { weight: 2, arbitrary: fc.constant({ type: "accept" } as const) },
  fc.constant({ type: "decline" } as const),
  fc.constant({ type: "hang-up" } as const),
  fc.record({ type: fc.constant("mute" as const), muted: fc.boolean() }),
  fc.record({ type: fc.constant("hold" as const), held: fc.boolean() }),
  { weight: 10, arbitrary: fc.record({ type: fc.constant("signal" as const), from: device, signal }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("media" as const),
      callId,
      media: fc.constantFrom("connected", "interrupted", "failed"),
    }),
  },
  fc.record({ type: fc.constant("media-signals" as const), callId, signals: fc.constant(oneCandidate) }),
  fc.record({ type: fc.constant("peer-presence" as const), peer: device, online: fc.boolean() }),
  fc.record({ type: fc.constant("unreachable" as const), callId }),
  fc.record({ type: fc.constant("timer" as const), timer: fc.constantFrom("ring", "connect", "reconnect") }),
);
const events = fc.array(event, { maxLength: 40 });

/** A machine with everything that its effects have opened and started. */
class Run {
  state: CallState = IDLE;
  openMedia: CallId | null = null;
  ringing = false;
  readonly timers = new Set<CallTimer>();
  readonly effects: CallEffect[] = [];

  /** @returns the effects of this one step. A timer that does not run cannot fire. */
  step(next: CallEvent, now = 1_000): readonly CallEffect[] {
    if (next.type === "timer" && !this.timers.delete(next.timer)) return [];
    const { state, effects } = stepCall(this.state, next, now);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
    this.effects.push(...effects);
    return effects;
  }

  #carryOut(effect: CallEffect): void {
    switch (effect.type) {
      case "open-media":
        expect(this.openMedia, "media opened while it is open").toBeNull();
        this.openMedia = effect.callId;
        break;
      case "close-media":
        expect(this.openMedia, "other media closed than is open").toBe(effect.callId);
        this.openMedia = null;
        break;
      case "start-timer":
        expect(this.timers.has(effect.timer), `${effect.timer} started twice`).toBe(false);
        this.timers.add(effect.timer);
        break;
      case "stop-timer":
        this.timers.delete(effect.timer);
        break;
      case "ring":
        expect(this.ringing).toBe(false);
        this.ringing = true;
        break;
      case "stop-ringing":
        expect(this.ringing).toBe(true);
        this.ringing = false;
        break;
      default:
        break;
    }
  }
}

/** Whether both people have agreed to this call: the only reasons to open a microphone. */
function isAgreed(before: CallState, cause: CallEvent, opened: CallId): boolean {
  if (cause.type === "accept") return before.phase === "incoming" && before.callId === opened;
  if (cause.type !== "signal" || before.phase !== "outgoing" || cause.from.userId !== before.peer) return false;
  if (cause.signal.callId !== opened) return false;
  return (cause.signal.kind === "accept" && before.callId === opened) || cause.signal.kind === "invite";
}

/** The timer that keeps each phase from lasting for ever. */
const TIMER_OF: Partial<Record<CallState["phase"], CallTimer>> = {
  outgoing: "ring",
  incoming: "ring",
  connecting: "connect",
  reconnecting: "reconnect",
};

describe("whatever happens, in any order", () => {
  test("the microphone opens only if both people have agreed to this call", () => {
    fc.assert(
      fc.property(events, (sequence) => {
        const run = new Run();
        for (const next of sequence) {
          const before = run.state;
          for (const effect of run.step(next)) {
            if (effect.type === "open-media") expect(isAgreed(before, next, effect.callId)).toBe(true);
          }
          expect(mayUseMicrophone(run.state)).toBe(run.openMedia !== null);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("no WebRTC signal passes in either direction unless the media of this call is open, and only with the device that talks", () => {
    fc.assert(
      fc.property(events, (sequence) => {
        const run = new Run();
        for (const next of sequence) {
          const before = run.state;
          for (const effect of run.step(next)) {
            const goesOut = effect.type === "send" && effect.signal.kind === "media";
            if (!goesOut && effect.type !== "media-signals") continue;
            expect(mayUseMicrophone(before)).toBe(true);
            if (!("peerDevice" in before)) throw new Error("no device to talk to");
            if (goesOut) expect(effect).toMatchObject({ to: before.peer, device: before.peerDevice });
            else expect(next).toMatchObject({ from: { userId: before.peer, deviceId: before.peerDevice } });
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("what was opened is closed once, every phase that may not last has its timer, and a hang-up ends everything", () => {
    fc.assert(
      fc.property(events, (sequence) => {
        const run = new Run();
        for (const next of sequence) {
          run.step(next);
          const timer = TIMER_OF[run.state.phase];
          expect([...run.timers]).toEqual(timer ? [timer] : []);
          expect(run.ringing).toBe(run.state.phase === "incoming");
        }
        run.step({ type: "hang-up" });
        expect(isLive(run.state)).toBe(false);
        expect({ timers: run.timers.size, media: run.openMedia, ringing: run.ringing }).toEqual({
          timers: 0,
          media: null,
          ringing: false,
        });
        const opened = run.effects.filter(({ type }) => type === "open-media").length;
        expect(run.effects.filter(({ type }) => type === "close-media")).toHaveLength(opened);
      }),
      { numRuns: RUNS },
    );
  });

  test("every call leaves exactly one record, and so does every call that found us busy", () => {
    fc.assert(
      fc.property(events, (sequence) => {
        const run = new Run();
        let ended = 0;
        for (const next of sequence) {
          const before = run.state;
          const records = run.step(next).filter((effect) => effect.type === "record");
          const hasEnded = isLive(before) && run.state.phase === "ended";
          const busy =
            run.effects.length > 0 && records.some(({ entry }) => before !== IDLE && isOther(before, entry.callId));
          expect(records).toHaveLength(hasEnded || busy ? 1 : 0);
          if (hasEnded) ended++;
        }
        expect(run.effects.filter(({ type }) => type === "record").length).toBeGreaterThanOrEqual(ended);
      }),
      { numRuns: RUNS },
    );
  });

  test("silence ends every call that has not connected", () => {
    fc.assert(
      fc.property(events, (sequence) => {
        const run = new Run();
        for (const next of sequence) run.step(next);
        const timer = TIMER_OF[run.state.phase];
        if (!timer) return;
        run.step({ type: "timer", timer });
        expect(run.state.phase).toBe("ended");
      }),
      { numRuns: RUNS },
    );
  });
});

function isOther(state: CallState, other: CallId): boolean {
  return isLive(state) && state.callId !== other;
}

/** Two machines with a line in each direction that keeps the order. */
class Pair {
  readonly runs = { alice: new Run(), bob: new Run() };
  readonly lines: Record<"alice" | "bob", CallSignal[]> = { alice: [], bob: [] };
  readonly #addresses = { alice: { userId: alice, deviceId: laptop }, bob: { userId: bob, deviceId: phone } };

  act(who: "alice" | "bob", next: CallEvent): void {
    const other = who === "alice" ? "bob" : "alice";
    const { deviceId } = this.#addresses[other];
    for (const effect of this.runs[who].step(next)) {
      if (effect.type !== "send" || effect.except === deviceId) continue;
      if (effect.device === "all" || effect.device === deviceId) this.lines[other].push(effect.signal);
    }
  }

  /** The next signal that is on its way to this side arrives. */
  deliver(to: "alice" | "bob"): boolean {
    const next = this.lines[to].shift();
    if (!next) return false;
    const from = this.#addresses[to === "alice" ? "bob" : "alice"];
    this.act(to, { type: "signal", from, signal: next });
    return true;
  }

  settle(): void {
    while (this.deliver("alice") || this.deliver("bob")) {
      // Until both lines are empty.
    }
  }
}

describe("two sides", () => {
  test.each([
    [callA, callB],
    [callB, callA],
  ])(
    "both calling each other at once (%s, %s) get one and the same call, with one side making the offer",
    (ofAlice, ofBob) => {
      fc.assert(
        fc.property(fc.array(fc.constantFrom("alice", "bob"), { maxLength: 8 }), (order) => {
          const pair = new Pair();
          pair.act("alice", { type: "dial", callId: ofAlice, peer: bob });
          pair.act("bob", { type: "dial", callId: ofBob, peer: alice });
          for (const to of order) pair.deliver(to as "alice" | "bob");
          pair.settle();
          const { alice: a, bob: b } = pair.runs;
          expect(a.state).toMatchObject({ phase: "connecting", callId: callA });
          expect(b.state).toMatchObject({ phase: "connecting", callId: callA });
          const offers = [...a.effects, ...b.effects].filter(
            (effect) => effect.type === "open-media" && effect.initiator,
          );
          expect(offers).toHaveLength(1);
        }),
      );
    },
  );

  test("whatever either person does, once everything is delivered neither side's microphone is open without the other's", () => {
    const move = fc.oneof(
      fc.record({
        who: fc.constantFrom("alice" as const, "bob" as const),
        does: fc.constantFrom("dial", "accept", "decline", "hang-up", "connect", "deliver"),
      }),
      fc.record({ who: fc.constantFrom("alice" as const, "bob" as const), does: fc.constant("deliver") }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
        const pair = new Pair();
        let dialled = 0;
        for (const { who, does } of moves) {
          const { state } = pair.runs[who];
          if (does === "deliver") pair.deliver(who);
          else if (does === "dial") {
            const id = CallId.parse((dialled++).toString(16).padStart(32, "0"));
            pair.act(who, { type: "dial", callId: id, peer: who === "alice" ? bob : alice });
          } else if (does === "connect") {
            if (isLive(state)) pair.act(who, { type: "media", callId: state.callId, media: "connected" });
          } else pair.act(who, { type: does as "accept" | "decline" | "hang-up" });
        }
        pair.settle();
        expect(pair.runs.alice.openMedia).toBe(pair.runs.bob.openMedia);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("ends", () => {
  const invited = (): Run => {
    const run = new Run();
    run.step({ type: "signal", from: { userId: bob, deviceId: phone }, signal: { kind: "invite", callId: callA } });
    return run;
  };
  const talking = (): Run => {
    const run = invited();
    run.step({ type: "accept" });
    run.step({ type: "media", callId: callA, media: "connected" }, 5_000);
    return run;
  };

  test("a peer whose device is gone ends the call only once the sound has stopped too", () => {
    const run = talking();
    run.step({ type: "peer-presence", peer: { userId: bob, deviceId: phone }, online: false });
    expect(run.state.phase).toBe("active");
    run.step({ type: "media", callId: callA, media: "interrupted" });
    expect(run.state).toMatchObject({ phase: "ended", reason: "peer-vanished" });
  });

  test("the duration counts from the first sound", () => {
    const run = talking();
    const effects = run.step({ type: "hang-up" }, 65_000);
    expect(effects).toContainEqual(
      expect.objectContaining({ type: "record", entry: expect.objectContaining({ durationMs: 60_000 }) }),
    );
  });

  test("the other devices of the callee are told to stop, whether it was answered or declined", () => {
    for (const [kind, reason] of [
      ["accept", "answered-elsewhere"],
      ["decline", "declined-elsewhere"],
    ] as const) {
      const run = new Run();
      run.step({ type: "dial", callId: callA, peer: bob });
      const answer: CallSignal =
        kind === "accept" ? { kind, callId: callA } : { kind, callId: callA, reason: "declined" };
      const effects = run.step({ type: "signal", from: { userId: bob, deviceId: phone }, signal: answer });
      expect(effects).toContainEqual({
        type: "send",
        to: bob,
        device: "all",
        except: phone,
        signal: { kind: "cancel", callId: callA, reason },
      });
    }
  });

  test("a device that answers second is told at once that the call is taken", () => {
    const run = new Run();
    run.step({ type: "dial", callId: callA, peer: bob });
    run.step({ type: "signal", from: { userId: bob, deviceId: phone }, signal: { kind: "accept", callId: callA } });
    const late = { userId: bob, deviceId: laptop };
    expect(run.step({ type: "signal", from: late, signal: { kind: "accept", callId: callA } })).toEqual([
      { type: "send", to: bob, device: laptop, signal: { kind: "hang-up", callId: callA, reason: "hung-up" } },
    ]);
  });
});
