/** What every record store must do, held against the plainest of them: a list that is searched. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { PackedRecords } from "../../relay/records/packed-records.ts";
import type { LeaseRecord } from "../../relay/records/record-store.ts";
import { deviceNumber, inboxNumber, madeAccount, madeLease, supernodeNumber } from "../support/made-leases.ts";

const START = 1_800_000_000_000;
const HOUR = 3_600_000;
const accounts = Array.from({ length: 6 }, (_, number) => madeAccount(number));
const makeStore = () => new PackedRecords([0x2545f491, 0x12345678]);

interface Known {
  lease: Signed<Lease>;
  gone: boolean;
  lastSeenAt: number;
}

/** The rules, written down as simply as they can be. */
class Model {
  known: Known[] = [];

  put(lease: Signed<Lease>, now: number): string {
    const { userId, deviceId, sequence, issuedAt, validityMs } = lease.value;
    const added = { lease, gone: validityMs === 0, lastSeenAt: issuedAt };
    if (this.#forgetAt(added) <= now) return "stale";
    const at = this.known.findIndex(({ lease: { value } }) => value.userId === userId && value.deviceId === deviceId);
    const present = this.known[at];
    if (present && present.lease.value.sequence === sequence) return "known";
    if (present && present.lease.value.sequence > sequence) return "stale";
    if (present) this.known[at] = added;
    else this.known.push(added);
    return "stored";
  }

  markGone(userId: UserId, device: number, inbox: number, home: number, lastSeenAt: number): boolean {
    const record = this.known.find(
      ({ lease: { value }, gone }) =>
        value.userId === userId &&
        value.deviceId === deviceNumber(device) &&
        value.inbox === inboxNumber(inbox) &&
        value.home === supernodeNumber(home) &&
        !gone,
    );
    if (!record) return false;
    record.gone = true;
    record.lastSeenAt = Math.max(record.lease.value.issuedAt, lastSeenAt);
    return true;
  }

  expire(now: number): void {
    this.known = this.known.filter((record) => this.#forgetAt(record) > now);
  }

  find(userId: UserId, now: number): Known[] {
    return this.known.filter((record) => record.lease.value.userId === userId && this.#forgetAt(record) > now);
  }

  #forgetAt({ lease, gone, lastSeenAt }: Known): number {
    return (gone ? lastSeenAt : lease.value.issuedAt + lease.value.validityMs) + TIMES.leaseMemoryMs;
  }
}

const step = fc.oneof(
  fc.record({
    do: fc.constant("put" as const),
    user: fc.nat(5),
    device: fc.nat(2),
    inbox: fc.nat(1),
    home: fc.nat(1),
    sequence: fc.nat(9),
    validityMs: fc.constantFrom(0, HOUR, TIMES.leaseValidityMs),
    bodyBytes: fc.constantFrom(0, 7, 8, 48, 256),
  }),
  fc.record({
    do: fc.constant("gone" as const),
    user: fc.nat(5),
    device: fc.nat(2),
    inbox: fc.nat(1),
    home: fc.nat(1),
  }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, HOUR, 40 * HOUR) }),
  fc.record({ do: fc.constant("expire" as const) }),
);

const plain = ({ lease, gone, lastSeenAt }: LeaseRecord | Known) => ({
  lease: Buffer.from(lease.bytes).toString("hex"),
  sequence: lease.value.sequence,
  gone,
  lastSeenAt,
});
const byLease = (a: { lease: string }, b: { lease: string }) => (a.lease < b.lease ? -1 : 1);

describe("the packed store", () => {
  it("answers as the rules say, whatever is put, marked, waited for and expired in whatever order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = makeStore();
        const model = new Model();
        let now = START;
        for (const each of steps) {
          const account = accounts["user" in each ? each.user : 0] as (typeof accounts)[number];
          if (each.do === "wait") now += each.ms;
          if (each.do === "expire") {
            store.expire(now);
            model.expire(now);
            expect(store.size).toBe(model.known.length);
          }
          if (each.do === "put") {
            const lease = madeLease(account, {
              deviceId: deviceNumber(each.device),
              inbox: inboxNumber(each.inbox),
              home: supernodeNumber(each.home),
              sequence: each.sequence,
              issuedAt: now,
              validityMs: each.validityMs,
              sealedBody: new Uint8Array(each.bodyBytes).fill(each.sequence),
            });
            expect(store.put(lease, now)).toBe(model.put(lease, now));
          }
          if (each.do === "gone") {
            const { user, device, inbox, home } = each;
            const userId = (accounts[user] as (typeof accounts)[number]).userId;
            const notice = {
              userId,
              deviceId: deviceNumber(device),
              inbox: inboxNumber(inbox),
              home: supernodeNumber(home),
              lastSeenAt: now - 1,
            };
            // Beyond the lease's end the two may differ in what they believe; the device was not there then anyway.
            const isWithin = model
              .find(userId, now)
              .every(({ lease: { value } }) => now <= value.issuedAt + value.validityMs);
            if (isWithin)
              expect(store.markGone(notice, now)).toBe(model.markGone(userId, device, inbox, home, now - 1));
          }
          for (const { userId } of accounts) {
            expect(store.find(userId, now).map(plain).sort(byLease)).toEqual(
              model.find(userId, now).map(plain).sort(byLease),
            );
          }
        }
        expect(new Set(store.userIds())).toEqual(new Set(model.known.map(({ lease }) => lease.value.userId)));
        store.close();
        expect(store.size).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps the most recent devices of an account that makes up too many", () => {
    const store = makeStore();
    const account = accounts[0] as (typeof accounts)[number];
    const count = LIMITS.maxDevicesPerAccount + 3;
    for (let device = 0; device < count; device++) {
      store.put(madeLease(account, { deviceId: deviceNumber(device), issuedAt: START + device }), START + count);
    }
    const kept = store.find(account.userId, START + count).map(({ lease }) => lease.value.deviceId);
    expect(kept).toHaveLength(LIMITS.maxDevicesPerAccount);
    expect(kept).not.toContain(deviceNumber(2));
    expect(kept).toContain(deviceNumber(3));
  });

  it("names every user once to whoever walks through it", () => {
    const store = makeStore();
    for (const account of accounts) {
      for (const device of [1, 2])
        store.put(madeLease(account, { deviceId: deviceNumber(device), issuedAt: START }), START);
    }
    expect([...store.userIds()].sort()).toEqual(accounts.map(({ userId }) => userId).sort());
  });
});
