import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { EMPTY_CONVERSATION, withLine, withOlderLines } from "../../renderer/app/conversation-state.ts";
import { dayKind, lineContext } from "../../renderer/conversation/line-context.ts";

type Text = Extract<LineView, { kind: "text" }>;
const peer = "b".repeat(40) as LineView["peer"];

function text(lineId: string, at: number, mine = false, delivery: Text["delivery"] = "received"): Text {
  return { kind: "text", lineId, peer, mine, at, delivery, messageId: lineId as Text["messageId"], text: lineId };
}
function call(lineId: string, at: number): LineView {
  const callId = "c".repeat(32) as Extract<LineView, { kind: "call" }>["callId"];
  return { kind: "call", lineId, peer, mine: true, at, callId, reason: "hung-up", durationMs: 60_000 };
}
const ids = ({ lines }: { lines: readonly LineView[] }) => lines.map(({ lineId }) => lineId);
const conversation = (...lines: LineView[]) => lines.reduce(withLine, EMPTY_CONVERSATION);

describe("a line that is pushed", () => {
  test("comes last, whatever the clocks of the two sides say", () => {
    expect(ids(conversation(text("ours", 5_000, true), text("theirs", 1_000)))).toEqual(["ours", "theirs"]);
  });

  test("goes before what its own sender has said later", () => {
    const state = conversation(text("first", 1), text("third", 3), text("ours", 4, true));
    expect(ids(withLine(state, text("second", 2)))).toEqual(["first", "second", "third", "ours"]);
  });

  test("of a call comes last, although the call began before what was said during it", () => {
    expect(ids(conversation(text("during", 50, true), call("call", 10)))).toEqual(["during", "call"]);
  });

  test("changes a known line where it stands", () => {
    const state = conversation(text("a", 1, true, "waiting"), text("b", 2, true, "waiting"));
    const changed = withLine(state, text("a", 1, true, "delivered"));
    expect(changed.lines).toEqual([text("a", 1, true, "delivered"), text("b", 2, true, "waiting")]);
  });
});

describe("a page of history", () => {
  test("goes before what is there, and says whether there is more", () => {
    const state = withOlderLines(conversation(text("c", 3)), [text("a", 1), text("b", 2)], true);
    expect(ids(state)).toEqual(["a", "b", "c"]);
    expect(state.history).toBe("more");
    expect(withOlderLines(state, [], false).history).toBe("complete");
  });

  test("keeps a line once that was pushed while the page was on its way", () => {
    const state = conversation(text("b", 2), text("c", 3));
    expect(ids(withOlderLines(state, [text("a", 1), text("b", 2)], false))).toEqual(["a", "b", "c"]);
  });

  test("never loses nor doubles a line, however pages and pushes meet", () => {
    const all = Array.from({ length: 30 }, (_, index) => text(`line ${index}`, index));
    fc.assert(
      fc.property(fc.shuffledSubarray(all), fc.nat(30), (pushed, from) => {
        const state = withOlderLines(pushed.reduce(withLine, EMPTY_CONVERSATION), all.slice(from), from > 0);
        const expected = new Set([...ids({ lines: pushed }), ...ids({ lines: all.slice(from) })]);
        expect(ids(state).length).toBe(expected.size);
        expect(new Set(ids(state))).toEqual(expected);
      }),
    );
  });
});

describe("a line beside the one before it", () => {
  const noon = new Date(2026, 4, 17, 12).getTime();
  const minute = 60_000;

  test("goes on with it if the same person speaks within five minutes", () => {
    const first = text("a", noon);
    expect(lineContext(first, text("b", noon + 4 * minute)).continued).toBe(true);
    expect(lineContext(first, text("b", noon + 6 * minute)).continued).toBe(false);
    expect(lineContext(first, text("b", noon + minute, true)).continued).toBe(false);
    expect(lineContext(call("a", noon), text("b", noon + minute, true)).continued).toBe(false);
  });

  test("has its day above it if it is the first of that day", () => {
    expect(lineContext(undefined, text("a", noon)).newDay).toBe(true);
    expect(lineContext(text("a", noon), text("b", noon + 11 * 60 * minute)).newDay).toBe(false);
    const nextDay = lineContext(text("a", noon + 11 * 60 * minute), text("b", noon + 12 * 60 * minute));
    expect(nextDay).toEqual({ newDay: true, continued: false });
  });

  test("is of today, yesterday, or another day, by the calendar and not by the hour", () => {
    const midnight = new Date(2026, 4, 17, 0, 1).getTime();
    expect(dayKind(midnight, midnight)).toBe("today");
    expect(dayKind(midnight - 2 * minute, midnight)).toBe("yesterday");
    expect(dayKind(midnight - 24 * 60 * minute - 2 * minute, midnight)).toBe("other");
  });
});
