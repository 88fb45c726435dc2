import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ASK_AFTER_MS,
  type LinkAction,
  type LinkEvent,
  type LinkSample,
  type LinkState,
  OPENING,
  PROBE_AFTER_MS,
  RESTART_EVERY_MS,
  stepLink,
  TROUBLE_AFTER_MS,
} from "../../renderer/media/link-watch.ts";

const EVERY_MS = 200;

/** A call whose samples and events a test makes one after the other. */
function call({ initiator = true } = {}) {
  let state: LinkState = OPENING;
  let sample: LinkSample = { at: 0, audioPackets: 0, pair: null, checksAnswered: 0, connection: "new" };
  const told: { at: number; action: LinkAction }[] = [];
  function step(event: LinkEvent): void {
    const next = stepLink(state, event, initiator);
    state = next.state;
    for (const action of next.actions) told.push({ at: sample.at, action });
  }
  return {
    told,
    get phase() {
      return state.phase;
    },
    actions: () => told.map(({ action }) => action),
    timesOf: (wanted: LinkAction) => told.filter(({ action }) => action === wanted).map(({ at }) => at),
    event: step,
    heard: () => step({ type: "heard", at: sample.at }),
    peerSending: (sending: boolean) => step({ type: "peer-sending", at: sample.at, sending }),
    /** Samples for so long, with so many sound packets between two of them. */
    run(ms: number, packets: number, change: Partial<LinkSample> = {}) {
      for (let passed = 0; passed < ms; passed += EVERY_MS) {
        const at = sample.at + EVERY_MS;
        sample = { ...sample, ...change, at, audioPackets: sample.audioPackets + packets };
        step({ type: "sample", sample });
      }
    },
  };
}

function talking(options?: { initiator: boolean }) {
  const made = call(options);
  made.run(1_000, 10, { connection: "connected", pair: "one", checksAnswered: 3 });
  made.told.length = 0;
  return made;
}

describe("a call counts as connected", () => {
  test("only once it is connected and sound has come", () => {
    const opening = call();
    opening.run(1_000, 0, { connection: "connecting" });
    opening.run(1_000, 0, { connection: "connected" });
    expect(opening.told).toEqual([]);
    opening.run(EVERY_MS, 1);
    expect(opening.actions()).toEqual(["report-connected"]);
  });

  test("and one that fails while opening is restarted, with a pause between two attempts", () => {
    const opening = call();
    opening.run(3 * RESTART_EVERY_MS, 0, { connection: "failed" });
    const restarts = opening.timesOf("restart");
    expect(restarts.length).toBe(3);
    expect((restarts[1] ?? 0) - (restarts[0] ?? 0)).toBe(RESTART_EVERY_MS);
  });
});

describe("silence", () => {
  test("is no trouble in a pause: one packet every 400 ms is enough", () => {
    const pausing = talking();
    for (let pause = 0; pause < 50; pause++) {
      pausing.run(EVERY_MS, 0);
      pausing.run(EVERY_MS, 1);
    }
    expect(pausing.told).toEqual([]);
    expect(pausing.phase).toBe("flowing");
  });

  test("is probed first, and told as trouble within 1.2 s, with an ICE restart at once", () => {
    const { run, timesOf } = talking({ initiator: true });
    run(3_000, 0);
    const lastSoundAt = 1_000;
    expect(timesOf("probe")[0]).toBe(lastSoundAt + PROBE_AFTER_MS);
    expect(timesOf("report-interrupted")).toEqual([lastSoundAt + TROUBLE_AFTER_MS]);
    expect(timesOf("restart")).toEqual([lastSoundAt + TROUBLE_AFTER_MS]);
  });

  test("is no trouble while the peer answers probes: then it is the peer's microphone", () => {
    const quiet = talking();
    for (let passed = 0; passed < 10_000; passed += EVERY_MS) {
      quiet.run(EVERY_MS, 0);
      if (quiet.told.at(-1)?.action === "probe") quiet.heard();
    }
    expect(new Set(quiet.actions())).toEqual(new Set(["probe"]));
  });

  test("is no trouble and not probed while the peer is muted, and is again when it speaks again", () => {
    const muted = talking();
    muted.peerSending(false);
    muted.run(60_000, 0);
    expect(muted.told).toEqual([]);
    muted.peerSending(true);
    muted.run(2_000, 0);
    expect(muted.actions()).toContain("report-interrupted");
  });

  test("of a muted peer is trouble once Chromium sees the path as gone", () => {
    const muted = talking();
    muted.peerSending(false);
    muted.run(EVERY_MS, 0, { connection: "disconnected" });
    expect(muted.actions()).toEqual(["report-interrupted", "restart"]);
  });
});

describe("an interrupted call", () => {
  function interrupted(options?: { initiator: boolean }) {
    const made = talking(options);
    made.run(TROUBLE_AFTER_MS + EVERY_MS, 0);
    expect(made.phase).toBe("interrupted");
    made.told.length = 0;
    return made;
  }

  test("restarts ICE again and again, with a pause between", () => {
    const { run, timesOf } = interrupted({ initiator: true });
    run(20_000, 0);
    const restarts = timesOf("restart");
    expect(restarts.length).toBe(5);
    for (const [index, at] of restarts.slice(1).entries()) expect(at - (restarts[index] ?? 0)).toBe(RESTART_EVERY_MS);
  });

  test("is restarted on request of the other side, which waits a little: both have noticed", () => {
    const { run, timesOf } = talking({ initiator: false });
    run(3_000, 0);
    const [interruptedAt] = timesOf("report-interrupted");
    expect(timesOf("restart")).toEqual([(interruptedAt ?? 0) + ASK_AFTER_MS]);
  });

  test.each<[string, (made: ReturnType<typeof interrupted>) => void]>([
    ["sound", ({ run }) => run(EVERY_MS, 1)],
    ["an answer to a probe", ({ heard }) => heard()],
    ["a connectivity check answered on the old pair", ({ run }) => run(EVERY_MS, 0, { checksAnswered: 4 })],
    ["a connectivity check answered on a new pair", ({ run }) => run(EVERY_MS, 0, { pair: "two", checksAnswered: 1 })],
  ])("is connected again by %s", (_, comesBack) => {
    const made = interrupted();
    comesBack(made);
    expect(made.actions()).toEqual(["report-connected"]);
  });

  test("is not connected again by a new pair that nobody has answered on, or by an old answer", () => {
    const { run, actions } = interrupted();
    run(EVERY_MS, 0, { pair: "two", checksAnswered: 0 });
    run(EVERY_MS, 0, { pair: "one", checksAnswered: 3 });
    expect(actions()).not.toContain("report-connected");
  });

  test("whose peer is gone for good is left to the call's own timer", () => {
    const made = talking();
    made.event({ type: "closed" });
    made.run(30_000, 0, { connection: "closed" });
    expect(made.actions()).toEqual(["report-interrupted"]);
  });
});

test("whatever happens, connected and interrupted are told in turns, beginning with connected", () => {
  const connection = fc.constantFrom<RTCPeerConnectionState>(
    "new",
    "connecting",
    "connected",
    "disconnected",
    "failed",
  );
  const sample = fc.record({
    audioPackets: fc.nat(100),
    pair: fc.constantFrom(null, "one", "two"),
    checksAnswered: fc.nat(5),
    connection,
  });
  const event = fc.oneof(
    {
      weight: 5,
      arbitrary: sample.map((seen) => (at: number) => ({ type: "sample", sample: { ...seen, at } }) as const),
    },
    fc.constant((at: number) => ({ type: "heard", at }) as const),
    fc.boolean().map((sending) => (at: number) => ({ type: "peer-sending", at, sending }) as const),
    fc.constant(() => ({ type: "closed" }) as const),
  );
  const steps = fc.array(fc.tuple(event, fc.nat(2_000)), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.boolean(), (all, initiator) => {
      let state = OPENING;
      let at = 0;
      const reports: LinkAction[] = [];
      for (const [make, ms] of all) {
        at += ms;
        const step = stepLink(state, make(at), initiator);
        state = step.state;
        reports.push(...step.actions.filter((action) => action.startsWith("report")));
      }
      for (const [index, report] of reports.entries()) {
        expect(report).toBe(index % 2 === 0 ? "report-connected" : "report-interrupted");
      }
    }),
  );
});
