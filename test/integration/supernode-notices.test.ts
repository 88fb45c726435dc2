import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeUserCertificate } from "../../protocol/certificate.ts";
import { decodeKeyLogHead } from "../../protocol/key-log.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { login, register, SessionClient } from "../support/login-api-client.ts";
import { TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestAuthority, type TestDevice } from "../support/test-identities.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const NOTHING = new Uint8Array();
/** Above what the login server of the test signs itself. */
const LATER = 1_000;

describe("what the login server says to everybody", () => {
  let network: TestNetwork;
  let toOne: Awaited<ReturnType<typeof joinRaw>>;
  let revision = LATER;

  beforeAll(async () => {
    network = await TestNetwork.start(3, { times: { noticesMs: 300, headPushMs: 300 } });
    toOne = await joinRaw(network, network.at(0));
  });
  afterAll(async () => {
    toOne.socket.disconnect();
    await network.close();
  });

  const revoke = (...devices: TestDevice[]) => {
    const serials = devices.map(({ certificate }) => decodeUserCertificate(certificate).value.serial);
    return network.authority.revocationList({ revision: revision++, issuedAt: Date.now(), serials });
  };
  const tell = (notices: { keyLogHead?: Uint8Array; revocations?: Uint8Array }) =>
    toOne.call("tellNotices", { keyLogHead: NOTHING, revocations: NOTHING, ...notices });
  const head = (epoch: number, root: number) =>
    network.authority.keyLogHead({
      epoch,
      issuedAt: Date.now(),
      root: new Uint8Array(32).fill(root),
      previous: new Uint8Array(32),
      skip: new Uint8Array(32),
    });
  const headsOf = (node: TestNode) => {
    const heads: Uint8Array[] = [];
    node.socket.on("keyLogHead", (told: { head: Uint8Array }) => heads.push(Uint8Array.from(told.head)));
    return heads;
  };

  it("gets from one supernode to the others: a device whose certificate was taken back is sent away everywhere", async () => {
    const [device, other] = [network.authority.device(), network.authority.device()];
    const nodes = await Promise.all(
      [1, 2].map((index) => TestNode.attach(network.at(index), network.authority.device())),
    );
    const revoked = await TestNode.attach(network.at(2), device);
    await tell({ revocations: revoke(device) });
    await until(() => !revoked.socket.connected);
    for (const index of [0, 1, 2]) {
      await until(async () => (await codeOf(TestNode.attach(network.at(index), device))) === "certificate-revoked");
    }
    const welcome = await TestNode.attach(network.at(2), other);
    for (const node of [...nodes, welcome]) {
      expect(node.socket.connected).toBe(true);
      node.close();
    }
  });

  it("is refused without the network's signature, and an older list changes nothing", async () => {
    const device = network.authority.device();
    const elsewhere = new TestAuthority(signingKeyPair());
    const list = elsewhere.revocationList({ revision: revision + 10, issuedAt: Date.now(), serials: [1] });
    expect(await codeOf(tell({ revocations: list }))).toBe("malformed");
    const tampered = Uint8Array.from(revoke(device));
    tampered[tampered.length - 1] = (tampered.at(-1) as number) ^ 1;
    expect(await codeOf(tell({ revocations: tampered }))).toBe("signature-invalid");

    const older = revoke(device);
    await tell({ revocations: revoke() });
    await tell({ revocations: older });
    const node = await TestNode.attach(network.at(0), device);
    node.close();
  });

  it("reaches attached nodes: the newest head of the key log, and both of two that contradict each other", async () => {
    const early = await TestNode.attach(network.at(1), network.authority.device());
    const heads = headsOf(early);
    await tell({ keyLogHead: head(LATER, 1) });
    await until(() => heads.some((bytes) => decodeKeyLogHead(bytes).value.epoch === LATER));
    await tell({ keyLogHead: head(LATER, 2) });
    const roots = () => new Set(heads.map((bytes) => decodeKeyLogHead(bytes).value.root[0]));
    await until(() => roots().has(1) && roots().has(2));
    early.close();
  });

  it("comes from the login server itself: a device that its owner signs out is sent away", async () => {
    const fresh = await TestNetwork.start(1, { times: { noticesMs: 100 } });
    try {
      const alice = await register(fresh.loginServer.url, "alice", "a long secret");
      const phone = await login(fresh.loginServer.url, "alice", "a long secret");
      const { networkId } = fresh.authority;
      const { publicKey: signKey, secretKey } = phone.sign;
      const node = await TestNode.attach(fresh.at(0), { ...phone, networkId, signKey, secretKey, now: Date.now });
      const session = new SessionClient(fresh.loginServer.url);
      await session.open(fresh.loginServer.networkId, alice);
      await session.call("signOutDevice", { deviceId: phone.deviceId });
      await until(() => !node.socket.connected);
      session.close();
    } finally {
      await fresh.close();
    }
  });
});
