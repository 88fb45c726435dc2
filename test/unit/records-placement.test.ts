/** Placement as a table that is made once for all users, against placement as it is defined. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { holdersOf } from "../../protocol/placement.ts";
import { CurrentPlacement } from "../../relay/records/current-placement.ts";
import { PlacementTable } from "../../relay/records/placement-table.ts";
import { madeAccount, supernodeNumber } from "../support/made-leases.ts";

const USERS = 120;

let accounts: ReturnType<typeof madeAccount>[];
beforeAll(() => {
  accounts = Array.from({ length: USERS }, (_, number) => madeAccount(number));
});

describe("placement of many users under the same members", () => {
  it("is placement, and nobody who holds is ever passed over", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), fc.nat(10_000), fc.constantFrom(1, 3, 8), (size, seed, count) => {
        const members = Array.from({ length: size }, (_, at) => supernodeNumber(seed + at));
        const table = new PlacementTable(members);
        for (const { userId } of accounts.slice(0, 8)) {
          const holders = table.holders(userId, count);
          expect(holders).toEqual(holdersOf(userId, members, count));
          for (const holder of holders) expect(table.maybeHolds(userId, holder)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("passes over most of those who do not hold, where there are many", () => {
    const members = Array.from({ length: 1_000 }, (_, at) => supernodeNumber(at));
    const table = new PlacementTable(members);
    const perhaps = accounts.reduce(
      (total, { userId }) => total + members.filter((id) => table.maybeHolds(userId, id)).length,
      0,
    );
    expect(perhaps / accounts.length).toBeLessThan(60);
  });

  it("is the same whether a table is made anew or from the one before, whoever has come and gone", () => {
    const steps = fc.array(fc.record({ number: fc.nat(40), comes: fc.boolean(), isAsked: fc.boolean() }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, (changes) => {
        const members = new Set(Array.from({ length: 20 }, (_, at) => supernodeNumber(at)));
        const current = new CurrentPlacement(new PlacementTable(members));
        for (const { number, comes, isAsked } of [...changes, { number: 0, comes: true, isAsked: true }]) {
          const id = supernodeNumber(number);
          if (comes) members.add(id);
          else members.delete(id);
          if (comes) current.joined(id);
          else current.left(id);
          if (!isAsked) continue;
          const table = current.table();
          expect(new Set(table.members)).toEqual(members);
          expect(table.members.length).toBe(members.size);
          for (const { userId } of accounts.slice(0, 2))
            expect(table.holders(userId)).toEqual(holdersOf(userId, members));
          for (let other = 0; other <= 40; other++) {
            expect(table.has(supernodeNumber(other))).toBe(members.has(supernodeNumber(other)));
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
