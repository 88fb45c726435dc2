import { beforeEach, describe, expect, test } from "vitest";
import { appSignatures } from "../../main/account/account-keys.ts";
import { Background } from "../../main/core/background.ts";
import { NetworkClock } from "../../main/core/clock.ts";
import { silentLog } from "../../main/core/log.ts";
import type { KeptStatus } from "../../main/directory/own-status.ts";
import { Registration } from "../../main/directory/registration.ts";
import type { SupernodeLink } from "../../main/directory/supernode-link.ts";
import { KithError } from "../../protocol/errors.ts";
import { DeviceId, InboxId, NetworkId, SupernodeId } from "../../protocol/identifiers.ts";
import { decodeLease, type Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { signingKeyPair, userIdOf } from "../../protocol/node-crypto.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;
const keys = signingKeyPair();
const device = {
  networkId: NetworkId.parse("01".repeat(20)),
  deviceId: DeviceId.parse("02".repeat(16)),
  keys: { userId: userIdOf(keys.publicKey), sign: keys, profileKey: new Uint8Array(32) },
  signatures: appSignatures,
};

let clock: ManualClock;
let kept: KeptStatus;
let sequence: number;
let leases: Lease[];
/** What the supernode has seen of this device before. */
let known: number;

beforeEach(() => {
  clock = new ManualClock();
  kept = { status: "online", text: "", hiddenSince: null };
  sequence = 0;
  leases = [];
  known = -1;
});

function link(inbox: string): SupernodeLink {
  const request = async (name: string, input: { lease?: Uint8Array }) => {
    if (name !== "register" || !input.lease) return {};
    const { value } = decodeLease(input.lease);
    if (value.sequence <= known) throw new KithError("lease-stale");
    known = value.sequence;
    leases.push(value);
    return {};
  };
  const place = { supernodeId: SupernodeId.parse("03".repeat(20)), inbox: InboxId.parse(inbox.repeat(16)) };
  return { ...place, roundTripMs: 1, request: request as SupernodeLink["request"], close() {}, abandon() {} };
}

function registration(): Registration {
  const timed = { now: () => clock.now(), monotonic: () => clock.now(), after: clock.after.bind(clock) };
  const store = {
    setStatus: async (status: KeptStatus) => {
      kept = status;
    },
    nextLeaseSequence: async (now: number) => {
      sequence = Math.max(sequence + 1, now);
      return sequence;
    },
  };
  return new Registration(device, kept, store, {
    clock: new NetworkClock(timed),
    random: (length) => new Uint8Array(length),
    log: silentLog,
    background: new Background(silentLog),
  });
}

describe("the lease of somebody visible", () => {
  test("is renewed every hour", async () => {
    await registration().moveTo(link("aa"));
    await clock.advance(5 * HOUR_MS);
    expect(leases.map(({ issuedAt }) => issuedAt / HOUR_MS)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("the lease of somebody invisible", () => {
  test("says since when and nothing later, over restarts and moves too", async () => {
    await clock.advance(10 * HOUR_MS);
    const first = registration();
    await first.moveTo(link("aa"));
    await clock.advance(HOUR_MS / 2);
    await first.setStatus({ status: "invisible", text: "" });
    const since = clock.now();
    await clock.advance(20 * HOUR_MS);
    await first.moveTo(link("bb"));
    first.homeless();
    await clock.advance(20 * HOUR_MS);
    await registration().moveTo(link("cc"));
    const [visible, ...hidden] = leases;
    expect(hidden.map(({ issuedAt, validityMs }) => [issuedAt, validityMs])).toEqual(Array(3).fill([since, 0]));
    expect(hidden.map((lease) => lease.sequence - (visible?.sequence ?? 0))).toEqual([1, 2, 3]);
  });

  test("is renewed before the directory forgets it, as old as it may be", async () => {
    const hidden = registration();
    await hidden.moveTo(link("aa"));
    await hidden.setStatus({ status: "invisible", text: "" });
    let previous = 0;
    for (let hour = 0; hour < 200; hour++) {
      await clock.advance(HOUR_MS);
      const { issuedAt = 0 } = leases.at(-1) ?? {};
      expect(clock.now()).toBeLessThan(issuedAt + TIMES.leaseMemoryMs);
      expect(issuedAt === previous || issuedAt <= clock.now() - 60 * HOUR_MS).toBe(true);
      previous = issuedAt;
    }
  });

  test("overtakes what supernodes know, in a profile that was restored from a copy", async () => {
    await clock.advance(10 * HOUR_MS);
    known = clock.now();
    kept = { status: "invisible", text: "", hiddenSince: HOUR_MS };
    sequence = 7;
    await registration().moveTo(link("aa"));
    expect(leases).toEqual([]);
    await clock.advance(60_000);
    expect(leases).toMatchObject([{ issuedAt: HOUR_MS, validityMs: 0 }]);
  });

  test("is as any other once they show themselves", async () => {
    const own = registration();
    await own.moveTo(link("aa"));
    await own.setStatus({ status: "invisible", text: "" });
    await clock.advance(HOUR_MS);
    await own.setStatus({ status: "online", text: "" });
    expect(leases.at(-1)).toMatchObject({ issuedAt: HOUR_MS, validityMs: TIMES.leaseValidityMs });
    expect(kept.hiddenSince).toBeNull();
  });
});
