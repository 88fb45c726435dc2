import fc from "fast-check";
import { expect, test } from "vitest";
import { claimOf, isReserved } from "../../login-server/accounts/handle-skeleton.ts";

test.each([
  ["bill", "bi11"],
  ["alice", "al1ce"],
  ["alice", "allce"],
  ["bob", "b0b"],
  ["modern", "modem"],
  ["wendy", "vvendy"],
  ["dave", "clave"],
  ["mary.ann", "mary_ann"],
  ["mary.ann", "mary--ann"],
  ["carol", "carol."],
  ["burnier", "bumier"],
  ["claire", "c1aire"],
  ["claire", "ciaire"],
  ["daire", "c1aire"],
  ["vwolf", "wvolf"],
  ["vvvolf", "wvolf"],
])("%s and %s look alike", (one, other) => expect(claimOf(one)).toBe(claimOf(other)));

test.each([
  ["alice", "alina"],
  ["user1", "user2"],
  ["user0", "user1"],
  ["user10", "user11"],
  ["mary.ann", "maryann"],
  ["bob", "bobs"],
])("%s and %s do not", (one, other) => expect(claimOf(one)).not.toBe(claimOf(other)));

test.each([
  "admin",
  "adm1n",
  "adrnin",
  "r00t",
  "support",
  "kith",
  "k1th",
  "help.",
  "deleted-account",
  "deleted.account",
  "ad-min",
  "sup.p0rt",
  "help_desk",
])("%s is reserved", (handle) => expect(isReserved(handle)).toBe(true));

test.each(["alice", "administrators-friend", "helpful", "kithara"])("%s is nobody's office", (handle) =>
  expect(isReserved(handle)).toBe(false),
);

/** What is drawn alike, each with the plainest way to write it. */
const DRAWN_ALIKE = [
  ["rn", "m"],
  ["vv", "w"],
  ["cl", "c1", "ci", "d"],
  ["o", "0"],
  ["l", "1", "i"],
] as const;

test("however a name is drawn, it has one claim", () => {
  const part = fc.oneof(fc.constantFrom(...DRAWN_ALIKE), fc.constantFrom(["a"], ["e"], ["v"], ["c"], ["r"], ["n"]));
  const pick = (ways: readonly string[], choice: number) => ways[choice % ways.length] ?? "";
  fc.assert(
    fc.property(fc.array(fc.tuple(part, fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 20 }), (parts) => {
      const one = parts.map(([ways, choice]) => pick(ways, choice)).join("");
      const other = parts.map(([ways, , choice]) => pick(ways, choice)).join("");
      expect(claimOf(one)).toBe(claimOf(other));
    }),
  );
});

test("a claim tells nobody the handle", () => {
  expect(claimOf("alice")).toMatch(/^[0-9a-f]{64}$/);
});
