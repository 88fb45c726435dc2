import { expect, it } from "vitest";
import { parseStartOptions } from "../../scripts/start-options.ts";

const parse = (...args: string[]) => parseStartOptions(args, { XDG_CACHE_HOME: "/cache" });

it("starts interactively in the user's cache unless told otherwise", () => {
  expect(parse()).toEqual({ kind: "interactive", dataFolder: "/cache/kith/start", ringMs: null });
  expect(parse("--data", "/d", "--ring-ms", "2000")).toMatchObject({ dataFolder: "/d", ringMs: 2_000 });
});

it("checks a whole call in a fresh folder unless told otherwise", () => {
  expect(parse("--check", "--json")).toEqual({
    kind: "check",
    scenario: "call",
    json: true,
    dataFolder: null,
    ringMs: null,
    speech: { alice: null, bob: null },
  });
  expect(parse("--check", "--scenario", "callee-killed")).toMatchObject({ scenario: "callee-killed", json: false });
});

it.each([
  [["--scenario", "reject"], "--scenario: only together with --check"],
  [["--check", "--scenario", "shout"], "--scenario: one of call, reject, no-answer, callee-killed"],
  [["--ring-ms", "soon"], "--ring-ms: a whole number from 100 to 600000"],
  [["--ring-ms", "99"], "--ring-ms: a whole number from 100 to 600000"],
  [["--check", "--speech-bob", "/nowhere.wav"], "--speech-bob: there is no file /nowhere.wav"],
  [["--chekc"], "--chekc"],
  [["extra"], "extra"],
])("refuses %j by name", (args, sentence) => {
  expect(() => parse(...args)).toThrow(sentence);
});

it("is asked for help", () => {
  expect(parse("--help", "--check")).toBeNull();
});
