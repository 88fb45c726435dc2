import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import { PackedRecords } from "../../relay/records/packed-records.ts";
import { forgetAt } from "../../relay/records/record-store.ts";
import {
  deviceNumber,
  inboxNumber,
  type LeaseChoices,
  madeAccount,
  madeLease,
  supernodeNumber,
} from "../support/made-leases.ts";

const NOW = Date.UTC(2026, 10, 1);
const account = madeAccount(1);
const lease = (choices: Partial<LeaseChoices> = {}) => madeLease(account, { issuedAt: NOW, ...choices });
const goneNotice = (choices = {}) => ({
  userId: account.userId,
  deviceId: deviceNumber(1),
  inbox: inboxNumber(1),
  home: supernodeNumber(1),
  lastSeenAt: NOW + 5_000,
  ...choices,
});

describe("the packed store", () => {
  it("lets a higher sequence replace a lower one, and never the other way round", () => {
    const store = new PackedRecords([1, 2]);
    expect(store.put(lease({ sequence: 5 }), NOW)).toBe("stored");
    expect(store.put(lease({ sequence: 4 }), NOW)).toBe("stale");
    expect(store.find(account.userId, NOW)[0]?.lease.value.sequence).toBe(5);
    expect(store.put(lease({ sequence: 6, inbox: inboxNumber(2) }), NOW)).toBe("stored");
    expect(store.find(account.userId, NOW)[0]?.lease.value.inbox).toBe(inboxNumber(2));
  });

  it("changes nothing at the same sequence", () => {
    const store = new PackedRecords([1, 2]);
    store.put(lease({ sequence: 5 }), NOW);
    expect(store.put(lease({ sequence: 5, inbox: inboxNumber(2) }), NOW)).toBe("known");
    expect(store.find(account.userId, NOW)[0]?.lease.value.inbox).toBe(inboxNumber(1));
  });

  it("believes that a device is gone only of its home and about the present inbox", () => {
    const store = new PackedRecords([1, 2]);
    store.put(lease(), NOW);
    expect(store.markGone(goneNotice({ home: supernodeNumber(2) }), NOW + 9_000)).toBe(false);
    expect(store.markGone(goneNotice({ inbox: inboxNumber(2) }), NOW + 9_000)).toBe(false);
    expect(store.markGone(goneNotice({ deviceId: deviceNumber(2) }), NOW + 9_000)).toBe(false);
    expect(store.find(account.userId, NOW)[0]?.gone).toBe(false);
    expect(store.markGone(goneNotice(), NOW + 9_000)).toBe(true);
    expect(store.find(account.userId, NOW)[0]).toMatchObject({ gone: true, lastSeenAt: NOW + 5_000 });
  });

  it("does not believe a last-seen time from the future, nor from before the lease", () => {
    const store = new PackedRecords([1, 2]);
    store.put(lease(), NOW);
    store.markGone(goneNotice({ lastSeenAt: NOW + 99_000 }), NOW + 9_000);
    expect(store.find(account.userId, NOW)[0]?.lastSeenAt).toBe(NOW + 9_000);
    store.put(lease({ sequence: NOW + 1 }), NOW);
    store.markGone(goneNotice({ lastSeenAt: 3 }), NOW + 9_000);
    expect(store.find(account.userId, NOW)[0]?.lastSeenAt).toBe(NOW);
  });

  it("takes a device that has signed out as gone at once", () => {
    const store = new PackedRecords([1, 2]);
    store.put(lease({ validityMs: 0 }), NOW);
    expect(store.find(account.userId, NOW)[0]).toMatchObject({ gone: true, lastSeenAt: NOW });
  });

  it("takes a device that is back as there again", () => {
    const store = new PackedRecords([1, 2]);
    store.put(lease(), NOW);
    store.markGone(goneNotice(), NOW + 9_000);
    store.put(lease({ sequence: NOW + 1 }), NOW + 10_000);
    expect(store.find(account.userId, NOW + 10_000)[0]?.gone).toBe(false);
  });

  it("remembers for 72 hours after the device was seen last, and then no longer", () => {
    const store = new PackedRecords([1, 2]);
    store.put(lease(), NOW);
    store.markGone(goneNotice(), NOW + 9_000);
    const end = NOW + 5_000 + TIMES.leaseMemoryMs;
    expect(store.find(account.userId, end - 1)).toHaveLength(1);
    expect(store.find(account.userId, end)).toHaveLength(0);
    expect(store.expire(end - 1)).toBe(0);
    expect(store.expire(end)).toBe(1);
    expect(store.size).toBe(0);
    expect([...store.userIds()]).toEqual([]);
  });

  it("refuses a lease whose 72 hours are over", () => {
    const store = new PackedRecords([1, 2]);
    const old = lease();
    const end = forgetAt({ lease: old, gone: false, lastSeenAt: NOW });
    expect(end).toBe(NOW + TIMES.leaseValidityMs + TIMES.leaseMemoryMs);
    expect(store.put(old, end)).toBe("stale");
    expect(store.size).toBe(0);
  });

  it("holds only so many devices of one account, the most recent", () => {
    const store = new PackedRecords([1, 2]);
    const count = LIMITS.maxDevicesPerAccount + 3;
    for (let number = 0; number < count; number++) {
      store.put(lease({ deviceId: deviceNumber(number), issuedAt: NOW + number }), NOW + count);
    }
    const kept = store.find(account.userId, NOW + count).map((record) => record.lease.value.deviceId);
    expect(kept).toHaveLength(LIMITS.maxDevicesPerAccount);
    expect(kept).not.toContain(deviceNumber(0));
    expect(kept).toContain(deviceNumber(count - 1));
    expect(store.size).toBe(LIMITS.maxDevicesPerAccount);
  });

  it("keeps a copy of its own of what came in a network buffer", () => {
    const store = new PackedRecords([1, 2]);
    const received = lease();
    const buffer = new Uint8Array(60_000);
    buffer.set(received.bytes, 100);
    const view = buffer.subarray(100, 100 + received.bytes.length);
    store.put({ ...received, bytes: view }, NOW);
    buffer.fill(0);
    const kept = store.find(account.userId, NOW)[0]?.lease.bytes;
    expect(Uint8Array.from(kept ?? [])).toEqual(received.bytes);
  });

  it("ends up with the newest lease in whatever order leases and notices come", () => {
    const step = fc.record({ sequence: fc.nat(6), inbox: fc.nat(2), isNotice: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const store = new PackedRecords([1, 2]);
        let highest = -1;
        for (const { sequence, inbox, isNotice } of steps) {
          if (isNotice) {
            const present = store.find(account.userId, NOW)[0];
            const changed = store.markGone(goneNotice({ inbox: inboxNumber(inbox) }), NOW + 9_000);
            expect(changed).toBe(
              present !== undefined && !present.gone && present.lease.value.inbox === inboxNumber(inbox),
            );
            continue;
          }
          const result = store.put(lease({ sequence, inbox: inboxNumber(inbox) }), NOW);
          expect(result).toBe(sequence > highest ? "stored" : sequence === highest ? "known" : "stale");
          highest = Math.max(highest, sequence);
          expect(store.find(account.userId, NOW)[0]?.lease.value.sequence).toBe(highest);
        }
      }),
      { numRuns: 30 },
    );
  });
});
