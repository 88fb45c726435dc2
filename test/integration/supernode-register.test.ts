import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { encodeLease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { signBody } from "../../protocol/signed.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { inShort, TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestAuthority, type TestDevice } from "../support/test-identities.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

describe("the directory", () => {
  let network: TestNetwork;
  const cleanUps: (() => void)[] = [];

  beforeAll(async () => {
    network = await TestNetwork.start(3);
  });
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });
  afterAll(() => network.close());

  const attach = async (index: number, device: TestDevice = network.authority.device()) => {
    const node = await TestNode.attach(network.at(index), device);
    cleanUps.push(() => node.close());
    return node;
  };
  const join = async (index: number, spoil: Parameters<typeof joinRaw>[2] = {}) => {
    const link = await joinRaw(network, network.at(index), spoil);
    cleanUps.push(() => link.socket.disconnect());
    return link;
  };

  it("puts a lease on all its holders", async () => {
    const alice = await attach(0);
    const lease = alice.lease();
    await alice.call("register", { lease });
    for (const index of [0, 1, 2]) {
      const link = await join(index);
      const { records } = await link.call("find", { userId: alice.userId });
      expect(records).toMatchObject([{ gone: false, lease: Buffer.from(lease) }]);
    }
  });

  it("takes the same lease twice, and never an older one after a newer one", async () => {
    const alice = await attach(0);
    const older = alice.lease();
    const newer = alice.lease();
    await alice.call("register", { lease: newer });
    await alice.call("register", { lease: newer });
    expect(await codeOf(alice.call("register", { lease: older }))).toBe("lease-stale");
    const { records } = await (await join(1)).call("find", { userId: alice.userId });
    expect(records[0]?.lease).toEqual(Buffer.from(newer));
  });

  it("refuses a lease that is not of this very attachment", async () => {
    const alice = await attach(0);
    const bob = await attach(0);
    const sibling = network.authority.device();
    const register = (lease: Uint8Array) => codeOf(alice.call("register", { lease }));
    expect(await register(bob.lease())).toBe("lease-refused");
    expect(await register(alice.lease({ deviceId: sibling.deviceId }))).toBe("lease-refused");
    expect(await register(alice.lease({ home: network.at(1).supernodeId }))).toBe("lease-refused");
    expect(await register(alice.lease({ inbox: bob.inbox }))).toBe("lease-refused");
    const found = await bob.call("lookUp", { userId: alice.userId });
    expect(inShort(found)).toBe("nothing");
  });

  it("refuses a lease that is forged, from the future, of another network, too long-lived or no lease at all", async () => {
    const alice = await attach(0);
    const register = (lease: Uint8Array) => codeOf(alice.call("register", { lease }));
    const forged = Uint8Array.from(alice.lease());
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    expect(await register(forged)).toBe("signature-invalid");
    expect(await register(alice.lease({ issuedAt: Date.now() + 2 * TIMES.maxClockSkewMs }))).toBe("clock-skew");
    const elsewhere = new TestAuthority(signingKeyPair());
    expect(await register(alice.lease({ networkId: elsewhere.networkId }))).toBe("signature-invalid");
    expect(await register(alice.lease({ validityMs: TIMES.leaseValidityMs + 1 }))).toBe("malformed");
    expect(await register(new Uint8Array(300))).toBe("malformed");
    expect(await register(new Uint8Array(0))).toBe("malformed");
    expect(await register(new Uint8Array(9_000))).toBe("too-large");
    expect(await register(alice.lease({ issuedAt: Date.now() - TIMES.leaseMemoryMs * 2 }))).toBe("lease-stale");
  });

  it("keeps no record of an account that the login server does not know", async () => {
    const alice = await attach(0);
    const stranger = new TestAuthority(signingKeyPair()).device({ networkId: network.authority.networkId });
    const link = await join(1);
    const lease = signBody(
      nodeSignatures,
      "lease",
      encodeLease({
        networkId: network.authority.networkId,
        userId: stranger.userId,
        signKey: stranger.signKey,
        deviceId: stranger.deviceId,
        home: network.at(0).supernodeId,
        inbox: alice.inbox,
        sequence: 1,
        issuedAt: Date.now(),
        validityMs: 60_000,
        sealedBody: new Uint8Array(0),
      }),
      stranger.secretKey,
    );
    expect(await codeOf(link.call("store", { lease, certificate: stranger.certificate }))).toBe("certificate-forged");
    expect(await codeOf(link.call("store", { lease, certificate: alice.device.certificate }))).toBe("lease-refused");
    expect((await link.call("find", { userId: stranger.userId })).records).toEqual([]);
  });

  it("believes only the home that a device is gone", async () => {
    const alice = await attach(0);
    await alice.register();
    const link = await join(1);
    const notice = {
      userId: alice.userId,
      deviceId: alice.device.deviceId,
      inbox: alice.inbox,
      lastSeenAt: Date.now(),
    };
    await link.call("markGone", notice);
    expect((await link.call("find", { userId: alice.userId })).records).toMatchObject([{ gone: false }]);
  });

  it("learns from the home when the device was seen last", async () => {
    const alice = await attach(0);
    await alice.register();
    const before = Date.now();
    alice.close();
    const link = await join(2);
    const find = () => link.call("find", { userId: alice.userId });
    await until(async () => (await find()).records[0]?.gone === true);
    const lastSeenAt = (await find()).records[0]?.lastSeenAt ?? 0;
    expect(lastSeenAt).toBeGreaterThanOrEqual(before);
    expect(lastSeenAt).toBeLessThanOrEqual(Date.now());
  });

  it("knows a device that has moved by its new home alone", async () => {
    const device = network.authority.device();
    const first = await attach(0, device);
    await first.register();
    const second = await attach(1, device);
    await second.register();
    first.close();
    const watcher = await attach(2);
    await until(async () => {
      const { devices } = await watcher.call("lookUp", { userId: device.userId });
      return devices.length === 1 && devices[0]?.state === "online";
    });
    const { devices } = await watcher.call("lookUp", { userId: device.userId });
    expect(devices[0]).toMatchObject({ home: network.at(1).supernodeId, inbox: second.inbox });
  });

  it("hands leases to a supernode that joins later", async () => {
    const alice = await attach(0);
    await alice.register();
    const newcomer = await network.add();
    await network.acquainted();
    const link = await joinRaw(network, newcomer.certificate);
    cleanUps.push(() => link.socket.disconnect());
    await until(async () => (await link.call("find", { userId: alice.userId })).records.length === 1);
  });

  it("hands a lease to a holder that was away when it was registered", async () => {
    const small = await TestNetwork.start(2);
    cleanUps.push(() => void small.close());
    const [, away] = small.supernodes;
    if (!away) throw new RangeError("two are needed");
    await away.close();
    const alice = await TestNode.online(small.at(0), small.authority.device());
    cleanUps.push(() => alice.close());
    await small.add({ dataFolder: away.dataFolder });
    const link = await joinRaw(small, away.certificate);
    cleanUps.push(() => link.socket.disconnect());
    await until(async () => (await link.call("find", { userId: alice.userId })).records.length === 1);
  });

  it("lets no one join without a supernode's certificate and its key", async () => {
    const device = network.authority.device();
    expect(await codeOf(join(0, { sentCertificate: device.certificate }))).toBe("malformed");
    expect(await codeOf(join(0, { secretKey: device.secretKey }))).toBe("signature-invalid");
    expect(await codeOf(join(0, { certificate: { expiresAt: Date.now() - 1 } }))).toBe("certificate-expired");
    const strangers = new TestAuthority(signingKeyPair());
    expect(await codeOf(join(0, { certificate: { networkId: strangers.networkId } }))).toBe("certificate-forged");
  });

  it("closes the link of a supernode whose certificate runs out, member or not", async () => {
    const small = await TestNetwork.start(1, { times: { sweepMs: 50 } });
    cleanUps.push(() => void small.close());
    const expiresAt = Date.now() + 2_000;
    const [brief, good] = [
      await joinRaw(small, small.at(0), { certificate: { expiresAt } }),
      await joinRaw(small, small.at(0)),
    ];
    await until(() => !brief.socket.connected);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
    expect(good.socket.connected).toBe(true);
    good.socket.disconnect();
  });

  it("bounds what one supernode may ask, serves others meanwhile, and shows it to its operator", async () => {
    const status = { host: "127.0.0.1", port: 0 };
    const small = await TestNetwork.start(1, { status, limits: { linkRequestBurst: 50, linkRequestsPerSecond: 5 } });
    cleanUps.push(() => void small.close());
    const link = await joinRaw(small, small.at(0));
    const { userId } = small.authority.device();
    const asked = Array.from({ length: 200 }, () => codeOf(link.call("find", { userId })));
    const node = await TestNode.online(small.at(0), small.authority.device());
    expect(await codeOf(node.call("lookUp", { userId: node.userId }))).toBe("no error");
    const codes = await Promise.all(asked);
    expect(new Set(codes)).toEqual(new Set(["no error", "rate-limited"]));
    const metrics = await (await fetch(`${small.supernodes[0]?.statusUrl}metrics`)).text();
    const refused = codes.filter((code) => code === "rate-limited").length;
    expect(metrics).toContain(`kith_requests_refused_total{from="supernode",code="rate-limited"} ${refused}`);
    node.close();
    link.socket.disconnect();
  });

  it("bounds what one supernode may watch", async () => {
    const small = await TestNetwork.start(1, { limits: { maxWatchesPerLink: 3 } });
    cleanUps.push(() => void small.close());
    const link = await joinRaw(small, small.at(0));
    const userIds = Array.from({ length: 4 }, () => small.authority.device().userId);
    expect(await codeOf(link.call("watchLeases", { add: userIds, remove: [] }))).toBe("too-large");
    expect(await codeOf(link.call("watchLeases", { add: userIds.slice(1), remove: [] }))).toBe("no error");
    link.socket.disconnect();
  });
});
