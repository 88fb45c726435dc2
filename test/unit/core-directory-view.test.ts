import { beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../main/core/log.ts";
import { newDeviceId } from "../../main/core/randomness.ts";
import { DirectoryView } from "../../main/directory/directory-view.ts";
import { sealStatus } from "../../main/directory/sealed-status.ts";
import { toHex } from "../../protocol/bytes.ts";
import { type DeviceAddress, InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import { encodeLease, type Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { networkIdOf, nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import type { DevicePresence, SealedStatus } from "../../protocol/presence.ts";
import { signBody } from "../../protocol/signed.ts";
import { ManualClock, random, TestAccount } from "../support/test-account.ts";

const networkId = networkIdOf(signingKeyPair().publicKey);
const home = SupernodeId.parse(toHex(random(20)));
const inboxA = InboxId.parse(toHex(random(16)));
const inboxB = InboxId.parse(toHex(random(16)));

const ownDevice = newDeviceId(random);
let clock: ManualClock;
let bob: TestAccount;
let directory: DirectoryView;
let appeared: DeviceAddress[];

beforeEach(() => {
  clock = new ManualClock();
  bob = new TestAccount(clock);
  appeared = [];
  directory = new DirectoryView(networkId, ownDevice, clock, silentLog, (_userId, devices) =>
    appeared.push(...devices),
  );
});

interface Told {
  readonly lease?: Partial<Lease>;
  readonly signer?: TestAccount;
  readonly presence?: Partial<DevicePresence>;
  readonly status?: Omit<SealedStatus, "at">;
}

function device({ lease = {}, signer = bob, presence = {}, status }: Told = {}): DevicePresence {
  const complete: Lease = {
    networkId,
    userId: bob.address.userId,
    signKey: bob.publicKeys.signKey,
    deviceId: bob.address.deviceId,
    home,
    inbox: inboxA,
    sequence: 1,
    issuedAt: clock.now(),
    validityMs: TIMES.leaseValidityMs,
    sealedBody: new Uint8Array(0),
    ...lease,
  };
  return {
    deviceId: complete.deviceId,
    state: "online",
    home: complete.home,
    inbox: complete.inbox,
    lease: signBody(nodeSignatures, "lease", encodeLease(complete), signer.keys.sign.secretKey),
    sealedStatus: status ? sealStatus({ ...status, at: clock.now() }, bob.keys.profileKey, random) : new Uint8Array(0),
    lastSeenAt: clock.now(),
    ...presence,
  };
}

const tell = (...devices: DevicePresence[]) => directory.apply({ userId: bob.address.userId, devices });
const view = (profileKey: Uint8Array | null = bob.keys.profileKey) => directory.view(bob.address.userId, profileKey);

describe("a device that the directory tells of", () => {
  test("is online with the status that was sealed to buddies", () => {
    tell(device({ status: { status: "busy", text: "in a meeting" } }));
    expect(view()).toMatchObject({ presence: "busy", statusText: "in a meeting" });
    expect(appeared).toEqual([bob.address]);
  });

  test("is plainly online as long as its status cannot be read", () => {
    tell(device({ status: { status: "busy", text: "in a meeting" } }));
    expect(view(null)).toMatchObject({ presence: "online", statusText: "" });
    expect(view(random(32))).toMatchObject({ presence: "online", statusText: "" });
  });

  test.each<[string, Told]>([
    ["was signed by somebody else", { signer: new TestAccount(new ManualClock()) }],
    ["is of another network", { lease: { networkId: networkIdOf(signingKeyPair().publicKey) } }],
    ["names another home than the supernode says", { presence: { home: SupernodeId.parse("0".repeat(40)) } }],
    ["names another inbox than the supernode says", { presence: { inbox: inboxB } }],
    ["is none", { presence: { lease: new Uint8Array(300) } }],
  ])("is not believed when its lease %s", (_what, told) => {
    tell(device(told));
    expect(directory.devices(bob.address.userId)).toEqual([]);
    expect(view().presence).toBe("offline");
  });

  test("is not believed with the lease of another user", () => {
    const mallory = new TestAccount(clock);
    directory.apply({ userId: mallory.address.userId, devices: [device()] });
    expect(directory.devices(mallory.address.userId)).toEqual([]);
  });

  test("is not online beyond its lease, nor when that says that it signed out", () => {
    tell(device());
    clock.advance(TIMES.leaseValidityMs);
    expect(view().presence).toBe("offline");
    tell(device({ lease: { sequence: 2, issuedAt: clock.now(), validityMs: 0 } }));
    expect(view().presence).toBe("offline");
  });

  test("keeps its latest lease: an older one told later is a replay", () => {
    tell(device({ lease: { sequence: 5, inbox: inboxB } }));
    tell(device({ lease: { sequence: 4 } }));
    expect(directory.device(bob.address.userId, bob.address.deviceId)?.inbox).toBe(inboxB);
  });

  test("appears anew when it has moved, and not when only its status has changed", () => {
    tell(device());
    tell(device({ status: { status: "away", text: "" } }));
    expect(appeared).toHaveLength(1);
    tell(device({ lease: { sequence: 2, inbox: inboxB } }));
    expect(appeared).toHaveLength(2);
    tell(device({ lease: { sequence: 2, inbox: inboxB }, presence: { state: "gone" } }));
    tell(device({ lease: { sequence: 2, inbox: inboxB } }));
    expect(appeared).toHaveLength(3);
  });

  test("whose supernode does not answer is unknown, not offline", () => {
    tell(device({ presence: { state: "unknown" } }));
    expect(view().presence).toBe("unknown");
    tell(device({ presence: { state: "gone", lastSeenAt: 77 } }));
    expect(view()).toEqual({ presence: "offline", statusText: "", lastSeenAt: 77 });
  });
});

describe("a person with several devices", () => {
  const phone = { deviceId: new TestAccount(new ManualClock()).address.deviceId, inbox: inboxB };

  test("is busy if one says so, and away only if all are", () => {
    const at = (status: SealedStatus["status"], lease: Partial<Lease> = {}) =>
      device({ status: { status, text: "" }, lease });
    tell(at("away"), at("busy", phone));
    expect(view().presence).toBe("busy");
    tell(at("away"), at("online", phone));
    expect(view().presence).toBe("online");
    tell(at("away"), at("away", phone));
    expect(view().presence).toBe("away");
  });

  test("is not told of this very device", () => {
    tell(device({ lease: { deviceId: ownDevice } }));
    expect(directory.knows(bob.address.userId)).toBe(true);
    expect(directory.devices(bob.address.userId)).toEqual([]);
    expect(appeared).toEqual([]);
  });

  test("who is invisible can be reached without being seen, as long as the directory remembers", () => {
    tell(device({ lease: { validityMs: 0 }, presence: { state: "gone" } }));
    expect(view().presence).toBe("offline");
    expect(directory.reachable(bob.address.userId)).toHaveLength(1);
    expect(directory.online(bob.address.userId)).toEqual([]);
    expect(appeared).toHaveLength(1);
    clock.advance(TIMES.leaseMemoryMs);
    expect(directory.reachable(bob.address.userId)).toEqual([]);
  });

  test("can be reached on those that are online", () => {
    tell(device(), device({ lease: phone, presence: { state: "gone" } }));
    expect(directory.online(bob.address.userId).map(({ inbox }) => inbox)).toEqual([inboxA]);
    expect(directory.devices(bob.address.userId)).toHaveLength(2);
  });
});
