import fc from "fast-check";
import { expect, test } from "vitest";
import { type BuddyAction, type BuddyState, buddyOutcome } from "../../login-server/buddies/buddy-rules.ts";

const ACTIONS: BuddyAction[] = ["request", "accept", "decline", "remove"];
const step = fc.record({ action: fc.constantFrom(...ACTIONS), actor: fc.constantFrom(0, 1) });

/** Two people's lines about each other, after these steps from strangers on. */
function play(steps: { action: BuddyAction; actor: number }[], onStep?: (lines: (BuddyState | null)[]) => void) {
  const lines: (BuddyState | null)[] = [null, null];
  for (const { action, actor } of steps) {
    const outcome = buddyOutcome(action, lines[actor] ?? null);
    if (outcome.kind === "changed") {
      lines[actor] = outcome.mine;
      lines[1 - actor] = outcome.theirs;
    }
    onStep?.(lines);
  }
  return lines;
}

const MIRROR: Record<BuddyState | "none", BuddyState | "none"> = {
  none: "none",
  buddy: "buddy",
  removed: "removed",
  "asked-by-me": "asks-me",
  "asks-me": "asked-by-me",
};

test("both lists mirror each other after any sequence of actions", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      play(steps, ([mine, theirs]) => expect(theirs ?? "none").toBe(MIRROR[mine ?? "none"]));
    }),
  );
});

test("nobody becomes a buddy without having asked or accepted", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const oneSided = steps.filter(({ actor }) => actor === 0);
      expect(play(oneSided)[1]).not.toBe("buddy");
      const unwilling = steps.filter(({ actor, action }) => actor === 0 || action === "decline" || action === "remove");
      expect(play(unwilling)[1]).not.toBe("buddy");
    }),
  );
});

test("two requests that cross make buddies", () => {
  const crossing = [
    { action: "request" as const, actor: 0 },
    { action: "request" as const, actor: 1 },
  ];
  expect(play(crossing)).toEqual(["buddy", "buddy"]);
});

test("the same action at once again changes nothing", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
      const last = steps.at(-1);
      if (last) expect(play([...steps, last])).toEqual(play(steps));
    }),
  );
});

test("whoever was declined or removed can ask again", () => {
  expect(
    play([
      { action: "request", actor: 0 },
      { action: "decline", actor: 1 },
      { action: "request", actor: 0 },
    ]),
  ).toEqual(["asked-by-me", "asks-me"]);
});

test.each([
  ["request", "asked-by-me", "already-requested"],
  ["request", "buddy", "already-buddies"],
  ["accept", null, "no-such-request"],
  ["accept", "asked-by-me", "no-such-request"],
  ["accept", "removed", "no-such-request"],
  ["decline", "buddy", "no-such-request"],
  ["decline", "asked-by-me", "no-such-request"],
] as const)("%s on a line that is %s is refused as %s", (action, mine, code) => {
  expect(buddyOutcome(action, mine)).toEqual({ kind: "refused", code });
});
