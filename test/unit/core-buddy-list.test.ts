import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BuddyList } from "../../main/buddies/buddy-list.ts";
import { silentLog } from "../../main/core/log.ts";
import { encodeUserCertificate } from "../../protocol/certificate.ts";
import { Handle } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { BuddyEntry } from "../../protocol/login-api.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { networkIdOf, nodeSignatures, type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";
import { signBody } from "../../protocol/signed.ts";
import { ManualClock, TestAccount } from "../support/test-account.ts";
import { type TestProfile, testProfile } from "../support/test-profile.ts";

const bobsHandle = Handle.parse("bob");
let clock: ManualClock;
let networkKeys: SigningKeyPair;
let profile: TestProfile;
let list: BuddyList;
let revision: number;

beforeEach(async () => {
  clock = new ManualClock();
  networkKeys = signingKeyPair();
  profile = testProfile();
  revision = 0;
  await profile.db
    .insertInto("owner")
    .values({
      id: 1,
      login_server: "",
      network_id: networkIdOf(networkKeys.publicKey),
      user_id: owner.address.userId,
      buddy_revision: 0,
    })
    .execute();
  list = await opened();
});
afterEach(() => profile.remove());

const owner = new TestAccount(new ManualClock());

async function opened(): Promise<BuddyList> {
  const anchor = trustAnchor(networkKeys.publicKey, () => clock.now());
  const fresh = new BuddyList(profile.db, anchor, clock, silentLog);
  await fresh.load();
  return fresh;
}

interface Line {
  readonly state?: BuddyEntry["state"];
  readonly handle?: Handle;
  readonly issuer?: SigningKeyPair;
  readonly issuedAt?: number;
  readonly change?: Partial<BuddyEntry>;
}

/** A line as the login server would write it of this account, but for what is changed. */
function line(
  of: TestAccount,
  { state = "buddy", handle = bobsHandle, issuer = networkKeys, issuedAt, change }: Line = {},
): BuddyEntry {
  const issued = issuedAt ?? clock.now();
  const certificate = encodeUserCertificate({
    networkId: networkIdOf(networkKeys.publicKey),
    handle,
    userId: of.address.userId,
    signKey: of.publicKeys.signKey,
    boxKey: of.publicKeys.boxKey,
    keyBinding: of.keys.keyBinding,
    deviceId: of.address.deviceId,
    serial: 1,
    issuedAt: issued,
    expiresAt: issued + TIMES.userCertificateMs,
  });
  return {
    userId: of.address.userId,
    handle,
    state,
    greeting: "",
    certificate: signBody(nodeSignatures, "userCertificate", certificate, issuer.secretKey),
    blocked: false,
    label: new Uint8Array(),
    revision: ++revision,
    ...change,
  };
}

const take = (...entries: BuddyEntry[]) => list.apply({ entries, revision }, true);

describe("a line of the list", () => {
  test("is there after a restart, with its keys and the revision", async () => {
    const bob = new TestAccount(clock);
    await take(line(bob));
    await list.setProfileKey(bob.address.userId, new Uint8Array(32).fill(3), 1);
    profile = await profile.reopened();
    list = await opened();
    expect(list.revision).toBe(revision);
    const stored = list.require(bob.address.userId);
    expect(stored).toMatchObject({ handle: "bob", state: "buddy", keyChanged: false });
    expect(Buffer.from(stored.boxKey).equals(bob.publicKeys.boxKey)).toBe(true);
    expect(stored.profileKey).toEqual(new Uint8Array(32).fill(3));
  });

  test("with a certificate that has run out still tells whose keys they are", async () => {
    const bob = new TestAccount(clock);
    await take(line(bob, { issuedAt: clock.now() - 2 * TIMES.userCertificateMs }));
    expect(list.require(bob.address.userId).handle).toBe("bob");
  });

  test.each<[string, (bob: TestAccount) => BuddyEntry]>([
    ["of another issuer", (bob) => line(bob, { issuer: signingKeyPair() })],
    ["of another account", (bob) => line(bob, { change: { userId: new TestAccount(clock).address.userId } })],
    ["of another handle", (bob) => line(bob, { change: { handle: Handle.parse("mallory") } })],
    ["from the future", (bob) => line(bob, { issuedAt: clock.now() + TIMES.maxClockSkewMs + 1_000 })],
    ["that is none", (bob) => line(bob, { change: { certificate: new Uint8Array(300) } })],
  ])("with a certificate %s is not taken", async (_what, forged) => {
    const bob = new TestAccount(clock);
    await take(forged(bob));
    expect(list.all()).toEqual([]);
  });

  test("that is older than what is known changes nothing", async () => {
    const bob = new TestAccount(clock);
    const old = line(bob, { state: "asks-me" });
    await take(line(bob));
    await take(old);
    expect(list.require(bob.address.userId).state).toBe("buddy");
  });

  test("does not move the revision while there are gaps before it", async () => {
    await list.apply({ entries: [line(new TestAccount(clock))], revision: 40 }, false);
    expect(list.revision).toBe(0);
    expect(list.all()).toHaveLength(1);
  });
});

describe("keys", () => {
  test("that are not the first ones of their handle are never used, whatever the server says", async () => {
    const bob = new TestAccount(clock);
    const impostor = new TestAccount(clock);
    await take(line(bob));
    // The server swaps the account behind the handle: the old one removed, a new one in its place.
    await take(line(bob, { state: "removed" }), line(impostor));
    expect(() => list.require(impostor.address.userId)).toThrow(expect.objectContaining({ code: "key-changed" }));
    expect(list.get(impostor.address.userId)).toMatchObject({ keyChanged: true });
    list = await opened();
    expect(() => list.require(impostor.address.userId)).toThrow(expect.objectContaining({ code: "key-changed" }));
  });

  test("are taken anew once the user has let go of the old ones", async () => {
    const bob = new TestAccount(clock);
    const renewed = new TestAccount(clock);
    await take(line(bob));
    await list.forgetPin(bobsHandle);
    await take(line(bob, { state: "removed" }), line(renewed));
    expect(list.require(renewed.address.userId).keyChanged).toBe(false);
  });

  test("of a request are pinned when it comes, not when it is accepted", async () => {
    const bob = new TestAccount(clock);
    await take(line(bob, { state: "asks-me" }));
    expect(() => list.require(bob.address.userId)).toThrow(expect.objectContaining({ code: "not-a-buddy" }));
    await take(line(new TestAccount(clock)));
    expect(list.all().filter(({ keyChanged }) => keyChanged)).toHaveLength(1);
  });
});

test("a list that was restored from a backup counts anew, and takes nothing for older", async () => {
  const bob = new TestAccount(clock);
  await take(line(bob), line(bob, { state: "removed" }));
  await list.startOver();
  expect(list.revision).toBe(0);
  revision = 0;
  await take(line(bob));
  expect(list.require(bob.address.userId).state).toBe("buddy");
  expect(list.revision).toBe(1);
});

test("an older profile key never replaces a newer one", async () => {
  const bob = new TestAccount(clock);
  await take(line(bob));
  const { userId } = bob.address;
  expect(await list.setProfileKey(userId, new Uint8Array(32).fill(2), 2)).toBe(true);
  expect(await list.setProfileKey(userId, new Uint8Array(32).fill(1), 1)).toBe(false);
  expect(list.get(userId)?.profileKey?.[0]).toBe(2);
});

test("waiting for an acceptance ends with it, or with its time", async () => {
  const bob = new TestAccount(clock);
  const { userId } = bob.address;
  await take(line(bob, { state: "asked-by-me" }));
  expect(list.isPending(userId)).toBe(true);
  const decided = list.decided(userId, 3_000);
  await take(line(bob));
  await decided;
  expect(clock.running).toBe(0);

  const carol = new TestAccount(clock);
  await take(line(carol, { state: "asked-by-me", handle: Handle.parse("carol") }));
  const late = list.decided(carol.address.userId, 3_000);
  clock.advance(3_000);
  await late;
  expect(list.isPending(carol.address.userId)).toBe(true);
});
