import { describe, expect, it } from "vitest";
import { TIMES } from "../../protocol/limits.ts";
import type { Liveness } from "../../relay/presence/inbox-subscriptions.ts";
import { devicePresence, isHomeToBeAsked, supersedes } from "../../relay/presence/presence-view.ts";
import type { LeaseRecord } from "../../relay/records/record-store.ts";
import { type LeaseChoices, madeAccount, madeLease } from "../support/made-leases.ts";

const NOW = Date.UTC(2026, 10, 1);
const LAPSED = NOW + TIMES.leaseValidityMs;
const account = madeAccount(1);
const sealedStatus = new Uint8Array([4, 2]);

function record(choices: Partial<Omit<LeaseRecord, "lease">> = {}, lease: Partial<LeaseChoices> = {}): LeaseRecord {
  return { lease: madeLease(account, { issuedAt: NOW, ...lease }), gone: false, lastSeenAt: NOW, ...choices };
}

const ONLINE: Liveness = { kind: "online", sealedStatus };
const GONE: Liveness = { kind: "gone", lastSeenAt: NOW + 500 };
const ASKING: Liveness = { kind: "asking" };
const UNREACHABLE: Liveness = { kind: "unreachable" };

describe("what is shown of a device", () => {
  it("is what its home says, whatever the holder says", () => {
    expect(devicePresence(record(), ONLINE, NOW + 1_000)).toMatchObject({ state: "online", sealedStatus });
    expect(devicePresence(record({ gone: true }), ONLINE, NOW + 1_000)).toMatchObject({ state: "online" });
    expect(devicePresence(record(), GONE, NOW + 1_000)).toMatchObject({ state: "gone", lastSeenAt: NOW + 500 });
  });

  it("is not shown before the home has been heard", () => {
    expect(devicePresence(record(), ASKING, NOW + 1_000)).toBeNull();
    expect(devicePresence(record({ gone: true }), ASKING, NOW + 1_000)).toBeNull();
  });

  it("is unknown when the home does not answer, unless the record says that it is gone", () => {
    expect(devicePresence(record(), UNREACHABLE, NOW + 1_000)).toMatchObject({ state: "unknown" });
    const gone = record({ gone: true, lastSeenAt: NOW + 300 });
    expect(devicePresence(gone, UNREACHABLE, NOW + 1_000)).toMatchObject({ state: "gone", lastSeenAt: NOW + 300 });
  });

  it("is gone once the lease has lapsed and the home is silent", () => {
    expect(devicePresence(record(), UNREACHABLE, LAPSED - 1)).toMatchObject({ state: "unknown" });
    expect(devicePresence(record(), UNREACHABLE, LAPSED)).toMatchObject({ state: "gone" });
  });

  it("is gone for someone who has signed out or hides, even if the home says otherwise", () => {
    expect(devicePresence(record({}, { validityMs: 0 }), ONLINE, NOW + 1_000)).toMatchObject({ state: "gone" });
  });

  it("shows no status but of someone online", () => {
    for (const liveness of [GONE, UNREACHABLE]) {
      expect(devicePresence(record(), liveness, NOW + 1_000)?.sealedStatus).toHaveLength(0);
    }
  });

  it("never shows a last-seen time from the future", () => {
    const liar: Liveness = { kind: "gone", lastSeenAt: NOW + 99_000 };
    expect(devicePresence(record(), liar, NOW + 1_000)?.lastSeenAt).toBe(NOW + 1_000);
  });
});

describe("whether the home is asked", () => {
  it("is as long as the lease is valid, even if a holder says that the device is gone", () => {
    expect(isHomeToBeAsked(record({ gone: true }), NOW + 1_000)).toBe(true);
    expect(isHomeToBeAsked(record(), LAPSED)).toBe(false);
    expect(isHomeToBeAsked(record({}, { validityMs: 0 }), NOW)).toBe(false);
  });
});

describe("which of two records of a device holds", () => {
  it("is the one with the higher sequence, and of the same lease the one that says gone", () => {
    const older = record({}, { sequence: 1 });
    const newer = record({}, { sequence: 2 });
    expect(supersedes(newer, older)).toBe(true);
    expect(supersedes(older, newer)).toBe(false);
    expect(supersedes({ ...older, gone: true }, newer)).toBe(false);
    expect(supersedes({ ...newer, gone: true }, newer)).toBe(true);
    expect(supersedes(newer, { ...newer, gone: true })).toBe(false);
    expect(supersedes(older, undefined)).toBe(true);
  });
});
