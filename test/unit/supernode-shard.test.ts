import { beforeEach, describe, expect, it } from "vitest";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { encodeLease } from "../../protocol/lease.ts";
import { LEASE_REPLICAS, TIMES } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { signBody } from "../../protocol/signed.ts";
import type { LinkPeer, LinkPush } from "../../relay/links/link-peer.ts";
import type { Member } from "../../relay/membership/membership-source.ts";
import { WatchRegistry } from "../../relay/presence/watch-registry.ts";
import { PackedRecords } from "../../relay/records/packed-records.ts";
import { PlacementTable } from "../../relay/records/placement-table.ts";
import { Shard } from "../../relay/records/shard.ts";
import { inboxNumber, supernodeNumber } from "../support/made-leases.ts";
import { TestAuthority, type TestDevice } from "../support/test-identities.ts";

const NOW = Date.UTC(2026, 10, 1);
const HOME = supernodeNumber(1);
const REVOKED_SERIAL = 77;
const MEMBERS = Array.from({ length: 60 }, (_, index) => supernodeNumber(index + 1));

describe("a shard of the directory", () => {
  const authority = new TestAuthority(signingKeyPair(), () => NOW);
  const anchor = trustAnchor(authority.networkKey, () => NOW);
  let records: PackedRecords;

  beforeEach(() => {
    records = new PackedRecords([1, 2]);
  });

  const shardOf = (self: SupernodeId) => {
    // Placement looks at the IDs alone.
    const members = new Map(MEMBERS.map((id) => [id, {} as Member]));
    const stage = { kind: "member" } as const;
    const membership = {
      stage,
      members: () => members,
      meet: () => {},
      linkLost: () => {},
      placement: () => new PlacementTable(MEMBERS),
      holdersOf: (userId: UserId, count?: number) => holdersOf(userId, MEMBERS, count),
      onChange: () => () => {},
      close: () => {},
    };
    const isRevoked = (serial: number) => serial === REVOKED_SERIAL;
    return new Shard({ self, anchor, membership, records, watches: new WatchRegistry(100), isRevoked });
  };
  const leaseOf = (device: TestDevice, sequence = 1, validityMs: number = TIMES.leaseValidityMs) =>
    signBody(
      nodeSignatures,
      "lease",
      encodeLease({
        networkId: authority.networkId,
        userId: device.userId,
        signKey: device.signKey,
        deviceId: device.deviceId,
        home: HOME,
        inbox: inboxNumber(1),
        sequence,
        issuedAt: NOW,
        validityMs,
        sealedBody: new Uint8Array(0),
      }),
      device.secretKey,
    );
  const goneNotice = ({ userId, deviceId }: TestDevice) => ({
    userId,
    deviceId,
    inbox: inboxNumber(1),
    home: HOME,
    lastSeenAt: NOW,
  });
  const peer = () => {
    const pushes: LinkPush[] = [];
    const peer: LinkPeer = { supernodeId: supernodeNumber(99), push: (push) => pushes.push(push) };
    return { peer, pushes };
  };

  it("takes no record of a device whose certificate was taken back", () => {
    const [self] = holdersOf(authority.device().userId, MEMBERS, 1) as [SupernodeId];
    const device = authority.device({ serial: REVOKED_SERIAL });
    expect(() => shardOf(self).store(leaseOf(device), device.certificate)).toThrow(
      expect.objectContaining({ code: "certificate-revoked" }),
    );
  });

  it("takes records that are its own to hold, or nearly, and no others", () => {
    const device = authority.device();
    const store = (self: SupernodeId) => shardOf(self).store(leaseOf(device), device.certificate);
    const ranked = holdersOf(device.userId, MEMBERS, MEMBERS.length);
    for (const self of ranked.slice(0, 2 * LEASE_REPLICAS)) expect(() => store(self)).not.toThrow();
    for (const self of ranked.slice(2 * LEASE_REPLICAS)) {
      expect(() => store(self)).toThrow(expect.objectContaining({ code: "not-a-holder" }));
    }
  });

  it("tells a watcher what it has, then every change, and nothing after it stopped watching", () => {
    const device = authority.device();
    const shard = shardOf(holdersOf(device.userId, MEMBERS)[0] as SupernodeId);
    shard.store(leaseOf(device, 1), device.certificate);
    const { peer: watcher, pushes } = peer();
    const told = () => pushes.splice(0).map(({ value }) => ("gone" in value ? value.gone : value));

    shard.watch(watcher, [device.userId]);
    expect(told()).toEqual([false]);
    shard.store(leaseOf(device, 1), device.certificate);
    expect(told()).toEqual([]);
    shard.store(leaseOf(device, 2), device.certificate);
    expect(told()).toEqual([false]);
    shard.markGone({ ...goneNotice(device), home: supernodeNumber(2) });
    expect(told()).toEqual([]);
    shard.markGone(goneNotice(device));
    expect(told()).toEqual([true]);
    shard.unwatch(watcher, [device.userId]);
    shard.store(leaseOf(device, 3), device.certificate);
    expect(told()).toEqual([]);
  });

  it("refuses what the owner's certificate does not cover", () => {
    const [device, other] = [authority.device(), authority.device()];
    const shard = shardOf(holdersOf(device.userId, MEMBERS)[0] as SupernodeId);
    const refused = (lease: Uint8Array, certificate: Uint8Array, code: string) =>
      expect(() => shard.store(lease, certificate)).toThrow(expect.objectContaining({ code }));
    refused(leaseOf(device), other.certificate, "lease-refused");
    const seed = device.secretKey.subarray(0, 32);
    refused(leaseOf(device), authority.device({ seed }).certificate, "lease-refused");
    refused(
      leaseOf(device),
      authority.device({ seed, deviceId: device.deviceId, expiresAt: NOW }).certificate,
      "certificate-expired",
    );
    refused(leaseOf(device), new TestAuthority(signingKeyPair(), () => NOW).device().certificate, "certificate-forged");
    expect(records.size).toBe(0);
  });
});
