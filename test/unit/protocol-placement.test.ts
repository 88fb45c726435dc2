import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { holdersOf } from "../../protocol/placement.ts";

const id = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 40);
const members = Array.from({ length: 40 }, (_, index) => SupernodeId.parse(id(`supernode ${index}`)));
const users = Array.from({ length: 4_000 }, (_, index) => UserId.parse(id(`user ${index}`)));

test("the order in which members are known does not matter", () => {
  for (const user of users.slice(0, 200)) {
    expect(holdersOf(user, [...members].reverse())).toEqual(holdersOf(user, members));
  }
});

test("a user has as many different holders as asked for, or all members", () => {
  const user = users[0] as UserId;
  expect(new Set(holdersOf(user, members, 8)).size).toBe(8);
  expect(holdersOf(user, members.slice(0, 3), 8)).toHaveLength(3);
  expect(holdersOf(user, [], 8)).toEqual([]);
});

test("the load is even: no member holds a third more or less than its share", () => {
  const load = new Map<string, number>(members.map((member) => [member, 0]));
  for (const user of users)
    for (const holder of holdersOf(user, members)) load.set(holder, (load.get(holder) ?? 0) + 1);
  const share = (users.length * 8) / members.length;
  for (const held of load.values()) expect(Math.abs(held - share) / share).toBeLessThan(1 / 3);
});

test("a member's death moves its own share only", () => {
  const [dead, ...alive] = members as [SupernodeId, ...SupernodeId[]];
  for (const user of users.slice(0, 500)) {
    const before = holdersOf(user, members);
    const after = holdersOf(user, alive);
    expect(after.slice(0, 7)).toEqual(before.filter((holder) => holder !== dead).slice(0, 7));
  }
});
