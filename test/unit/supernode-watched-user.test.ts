import { expect, test } from "vitest";
import { InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import { decodeLease, encodeLease } from "../../protocol/lease.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { signBody } from "../../protocol/signed.ts";
import { WatchedUser } from "../../relay/presence/watched-user.ts";
import { TestAuthority } from "../support/test-identities.ts";

const authority = new TestAuthority(signingKeyPair());
const device = authority.device();
const inboxes = {
  watch: () => undefined,
  unwatch: () => undefined,
  livenessOf: () => ({ kind: "asking" as const }),
};

function lease(sequence: number, home = "01"): Uint8Array {
  const { networkId, userId, signKey, deviceId, secretKey } = device;
  const body = encodeLease({
    networkId,
    userId,
    signKey,
    deviceId,
    home: SupernodeId.parse(home.repeat(20)),
    inbox: InboxId.parse("02".repeat(16)),
    sequence,
    issuedAt: Date.now(),
    validityMs: 3_600_000,
    sealedBody: new Uint8Array(0),
  });
  return signBody(nodeSignatures, "lease", body, secretKey);
}

test("what a holder says again, or has said before, is not checked again", () => {
  const user = new WatchedUser(device.userId, inboxes, Date.now, () => undefined);
  const [older, present, newer, other] = [lease(1), lease(2), lease(3), lease(2, "03")];
  expect(user.isNews({ lease: present, gone: false })).toBe(true);
  user.learn({ lease: decodeLease(present), gone: false, lastSeenAt: Date.now() });
  expect(user.isNews({ lease: present, gone: false })).toBe(false);
  expect(user.isNews({ lease: older, gone: true })).toBe(false);
  expect(user.isNews({ lease: present, gone: true })).toBe(true);
  expect(user.isNews({ lease: newer, gone: false })).toBe(true);
  // These say who has lied.
  expect(user.isNews({ lease: other, gone: false })).toBe(true);
  expect(user.isNews({ lease: new Uint8Array(9), gone: false })).toBe(true);
});
