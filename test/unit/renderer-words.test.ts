import { createIntl } from "react-intl";
import { describe, expect, test } from "vitest";
import type { CallView } from "../../protocol/ipc-schema.ts";
import { callLineText, callStatus, endedText, ringOf } from "../../renderer/call/call-words.ts";
import { formatDuration } from "../../renderer/call/duration.ts";
import { microphoneError } from "../../renderer/media/microphone.ts";
import { en } from "../../renderer/texts/en.ts";

type Ended = Extract<CallView, { phase: "ended" }>;
type Reason = Ended["reason"];

const intl = createIntl({ locale: "en", messages: en });
const say = (id: keyof typeof en, values = {}) => intl.formatMessage({ id }, { handle: "bob", ...values });

const identity = {
  callId: "c".repeat(32) as Ended["callId"],
  peer: "b".repeat(40) as Ended["peer"],
  direction: "outgoing",
} as const;
const ended = (direction: Ended["direction"], reason: Reason): Ended => ({
  ...identity,
  phase: "ended",
  direction,
  reason,
  connectedAt: null,
  endedAt: 0,
});

describe("how a call ended", () => {
  test.each<[Ended["direction"], Reason, string]>([
    ["outgoing", "peer-declined", "bob declined the call."],
    ["outgoing", "no-answer", "bob did not answer."],
    ["outgoing", "gave-up", "You hung up before bob answered."],
    ["outgoing", "peer-vanished", "bob has gone offline."],
    ["outgoing", "unreachable", "bob could not be reached."],
    ["incoming", "no-answer", "You missed a call from bob."],
    ["incoming", "gave-up", "You missed a call from bob."],
    ["incoming", "declined", "You declined the call."],
    ["incoming", "peer-hung-up", "bob hung up."],
  ])("%s, %s: %s", (direction, reason, words) => {
    expect(say(endedText(ended(direction, reason)))).toBe(words);
  });

  test.each<[boolean, Reason, number | null, string]>([
    [true, "hung-up", 42_000, "You called bob."],
    [false, "hung-up", 42_000, "bob called you."],
    [true, "connection-lost", 42_000, "The call was cut off."],
    [false, "peer-vanished", 42_000, "The call was cut off."],
    [false, "no-answer", null, "Missed call from bob"],
    [false, "gave-up", null, "Missed call from bob"],
    [false, "declined", null, "You declined a call from bob."],
    [true, "no-answer", null, "You called; bob did not answer."],
    [true, "gave-up", null, "You called; bob had not answered yet."],
    [true, "peer-busy", null, "You called; bob was in another call."],
    [true, "connect-failed", null, "The call did not connect."],
  ])("as a line (mine: %s, %s, %s ms): %s", (mine, reason, durationMs, words) => {
    expect(say(callLineText({ mine, reason, durationMs }))).toBe(words);
  });
});

describe("what a live call says", () => {
  const sounding = { ...identity, connectedAt: 0, muted: false };
  test.each<[CallView, string]>([
    [{ ...identity, phase: "outgoing", ringing: false }, "Calling…"],
    [{ ...identity, phase: "outgoing", ringing: true }, "Ringing…"],
    [{ ...identity, phase: "connecting" }, "Connecting…"],
    [{ ...sounding, phase: "active", muted: true }, "Your microphone is off"],
    [{ ...sounding, phase: "held", by: "peer" }, "bob has put you on hold"],
    [{ ...sounding, phase: "reconnecting" }, "Connection lost. Reconnecting…"],
  ])("%j", (call, words) => {
    const status = callStatus(call);
    expect(status && say(status)).toBe(words);
  });

  test("is nothing but the running clock when all is well", () => {
    expect(callStatus({ ...sounding, phase: "active" })).toBeNull();
  });
});

describe("ringing", () => {
  const incoming: CallView = { ...identity, phase: "incoming" };
  test("is heard for an incoming call, but not by who does not want to be disturbed", () => {
    expect(ringOf(incoming, "online")).toBe("incoming");
    expect(ringOf(incoming, "invisible")).toBe("incoming");
    expect(ringOf(incoming, "busy")).toBeNull();
  });
  test("is heard by the caller once the other side rings, and never in a call", () => {
    expect(ringOf({ ...identity, phase: "outgoing", ringing: false }, "online")).toBeNull();
    expect(ringOf({ ...identity, phase: "outgoing", ringing: true }, "online")).toBe("outgoing");
    expect(ringOf({ ...identity, phase: "connecting" }, "online")).toBeNull();
  });
});

test.each([
  [0, "0:00"],
  [999, "0:00"],
  [42_000, "0:42"],
  [61_500, "1:01"],
  [3_599_999, "59:59"],
  [3_723_000, "1:02:03"],
  [-5, "0:00"],
])("%i ms last %s", (ms, words) => {
  expect(formatDuration(ms)).toBe(words);
});

test("a microphone that is refused is told apart from one that is missing or taken", () => {
  const named = (name: string) => Object.assign(new Error(), { name });
  expect(microphoneError(named("NotAllowedError")).code).toBe("microphone-refused");
  expect(microphoneError(named("NotFoundError")).code).toBe("microphone-missing");
  expect(microphoneError(named("NotReadableError")).code).toBe("microphone-missing");
});

describe("the catalogue", () => {
  test("says how much too long a message is, with the numbers written as people write them", () => {
    expect(say("composer.tooLong", { limit: 12_000, over: 345 })).toBe(
      "A message may have 12,000 characters; this one has 345 too many. Shorten it, or send it in parts.",
    );
    expect(say("composer.left", { left: 1 })).toBe("1 character left.");
  });

  test("has nothing in it that cannot be said", () => {
    // A name that stands in the text with a value that it takes, whichever names a text has.
    const named = Object.values(en).flatMap((words) => [...words.matchAll(/\{(\w+)/g)].map(([, name]) => name));
    const values = Object.fromEntries(named.map((name) => [String(name), 2]));
    const broken = (Object.keys(en) as (keyof typeof en)[]).filter((id) => !/^[^{}]+$/.test(say(id, values)));
    expect(broken).toEqual([]);
  });
});
