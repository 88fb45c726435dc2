import { expect, test } from "vitest";
import { claimOf, isReserved } from "../../login-server/handle-skeleton.ts";

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
])("%s is reserved", (handle) => expect(isReserved(handle)).toBe(true));

test.each(["alice", "administrators-friend", "helpful", "kithara"])("%s is nobody's office", (handle) =>
  expect(isReserved(handle)).toBe(false),
);

test("a claim tells nobody the handle", () => {
  expect(claimOf("alice")).toMatch(/^[0-9a-f]{64}$/);
});
