import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { concatBytes, equalBytes, fromHex } from "../../protocol/bytes.ts";
import { encodeUserCertificate } from "../../protocol/certificate.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { signBody } from "../../protocol/signed.ts";
import { trustSupernodeList, trustUserCertificate } from "../../protocol/trust.ts";
import {
  bytesOf,
  enrol,
  get,
  handle,
  login,
  newDeviceId,
  newSupernode,
  register,
  signStatement,
} from "../support/login-api-client.ts";
import { DAY_MS, loginServers, TestClock } from "../support/login-server-fixture.ts";

const servers = loginServers();
const code = (expected: string) => expect.objectContaining({ code: expected });

test("a device with a young certificate opens a session and needs no other one", async () => {
  const { url, networkId } = await servers.start();
  const alice = await register(url, "alice");
  const session = servers.connect(url);
  expect(await session.open(networkId, alice)).toEqual({ certificate: Buffer.alloc(0), supernodes: 1 });
  expect(await session.call("syncBuddies", { since: 0 })).toEqual({ entries: [], revision: 0, more: false });
});

test("every connection is challenged with a nonce of its own", async () => {
  const { url } = await servers.start();
  const nonces = await Promise.all(
    [servers.connect(url), servers.connect(url)].map(async (client) => (await client.pushed("challenge")).nonce),
  );
  expect(nonces[0]).toHaveLength(32);
  expect(nonces[0]).not.toEqual(nonces[1]);
});

test("past half-life the session brings a fresh certificate for the same keys and device", async () => {
  const clock = new TestClock();
  const server = await servers.start({ now: clock.now });
  const alice = await register(server.url, "alice");
  clock.advance(15 * DAY_MS);
  const { certificate } = await servers.connect(server.url).open(server.networkId, alice);
  const anchor = trustAnchor(server.networkKey, clock.now);
  const fresh = trustUserCertificate(anchor, certificate).value;
  const old = trustUserCertificate(anchor, alice.certificate).value;
  expect(fresh).toMatchObject({ deviceId: old.deviceId, userId: old.userId, issuedAt: clock.now() });
  expect(fresh.serial).toBeGreaterThan(old.serial);
  expect(new Uint8Array(fresh.boxKey)).toEqual(old.boxKey);
});

test("after the server's clock was ahead and is put right, everybody gets certificates and a list of today", async () => {
  const clock = new TestClock();
  const server = await servers.start({ now: clock.now });
  clock.advance(365 * DAY_MS);
  const alice = await register(server.url, "alice");
  const supernode = newSupernode(4_433);
  await enrol(server.url, supernode, server.enrolmentToken);
  const listAt = async () => bytesOf(String((await get(server.url, "/v1/supernodes")).body.list));
  await listAt();
  clock.advance(-365 * DAY_MS);
  const anchor = trustAnchor(server.networkKey, clock.now);
  expect(() => trustUserCertificate(anchor, alice.certificate)).toThrow(code("clock-skew"));
  const { certificate } = await servers.connect(server.url).open(server.networkId, alice);
  expect(trustUserCertificate(anchor, certificate).value).toMatchObject({ handle: "alice", issuedAt: clock.now() });
  await enrol(server.url, supernode, server.enrolmentToken);
  const { supernodes } = trustSupernodeList(anchor, await listAt()).value;
  expect(supernodes.map(({ value }) => [value.port, value.issuedAt])).toEqual([[4_433, clock.now()]]);
  await login(server.url, "alice", alice.password);
});

test("a device that did not get its fresh certificate is given the same one again", async () => {
  const clock = new TestClock();
  const { url, networkId } = await servers.start({ now: clock.now });
  const alice = await register(url, "alice");
  clock.advance(16 * DAY_MS);
  const lost = await servers.connect(url).open(networkId, alice);
  const again = await servers.connect(url).open(networkId, alice);
  expect(again.certificate.length).toBeGreaterThan(0);
  expect(again.certificate).toEqual(lost.certificate);
  const current = { ...alice, certificate: new Uint8Array(again.certificate) };
  expect((await servers.connect(url).open(networkId, current)).certificate).toHaveLength(0);
});

test("a known device opens a session with an expired certificate and is renewed", async () => {
  const clock = new TestClock();
  const server = await servers.start({ now: clock.now });
  const alice = await register(server.url, "alice");
  clock.advance(400 * DAY_MS);
  const { certificate } = await servers.connect(server.url).open(server.networkId, alice);
  const renewed = trustUserCertificate(trustAnchor(server.networkKey, clock.now), certificate);
  expect(renewed.value.expiresAt).toBe(clock.now() + 30 * DAY_MS);
});

test("a device that was signed out is told, closed, and comes in no more but by password", async () => {
  const { url, networkId } = await servers.start();
  const alice = await register(url, "alice");
  const laptop = await login(url, "alice", alice.password);
  const atAlice = await servers.open(url, alice);
  const atLaptop = await servers.open(url, laptop);
  await atAlice.call("signOutDevice", { deviceId: laptop.deviceId });
  await atLaptop.pushed("signedOut");
  await atLaptop.closed();
  const refused = servers.connect(url);
  await expect(refused.open(networkId, laptop)).rejects.toEqual(code("signed-out-elsewhere"));
  await refused.closed();
  await atAlice.call("signOutDevice", { deviceId: laptop.deviceId });
  expect(atAlice.socket.connected).toBe(true);
  await servers.open(url, await login(url, "alice", alice.password, laptop.deviceId));
});

test("a device signs itself out and still gets its answer", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const session = await servers.open(url, alice);
  expect(await session.call("signOutDevice", { deviceId: alice.deviceId })).toEqual({});
  await session.closed();
});

test("nobody signs out the devices of somebody else", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const mallory = await register(url, "mallory");
  const atAlice = await servers.open(url, alice);
  const atMallory = await servers.open(url, mallory);
  await atMallory.call("signOutDevice", { deviceId: alice.deviceId });
  await atAlice.call("syncBuddies", { since: 0 });
  await servers.open(url, alice);
});

test("a device that connects again replaces its older socket", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const older = await servers.open(url, alice);
  const newer = await servers.open(url, alice);
  await older.closed();
  expect(await newer.call("syncBuddies", { since: 0 })).toMatchObject({ revision: 0 });
});

test("without a session nothing is answered but open", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const client = servers.connect(url);
  await client.pushed("challenge");
  const refused = code("not-authenticated");
  const { userId, deviceId } = alice;
  await expect(client.call("syncBuddies", { since: 0 })).rejects.toEqual(refused);
  await expect(client.call("requestBuddy", { handle: alice.handle, greeting: "" })).rejects.toEqual(refused);
  await expect(client.call("acceptBuddy", { userId })).rejects.toEqual(refused);
  await expect(client.call("declineBuddy", { userId })).rejects.toEqual(refused);
  await expect(client.call("removeBuddy", { userId })).rejects.toEqual(refused);
  await expect(client.call("signOutDevice", { deviceId })).rejects.toEqual(refused);
});

test("a socket that does not open in time is closed", async () => {
  const { url } = await servers.start({ attachTimeoutMs: 1_000 });
  const idle = servers.connect(url);
  await idle.pushed("challenge");
  await idle.closed();
});

test("a session that has opened is not closed by that time", async () => {
  const { url, networkId } = await servers.start({ attachTimeoutMs: 1_000 });
  const alice = await register(url, "alice");
  const session = servers.connect(url);
  await session.open(networkId, alice);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(await session.call("syncBuddies", { since: 0 })).toMatchObject({ revision: 0 });
});

test("a proof for another connection's challenge is refused, and the socket closed", async () => {
  const { url, networkId } = await servers.start();
  const alice = await register(url, "alice");
  const heard = await servers.connect(url).pushed("challenge");
  const claim = [fromHex(networkId), heard.nonce, fromHex(alice.deviceId)];
  const proof = signStatement("kith login session 1", claim, alice.sign.secretKey);
  const client = servers.connect(url);
  await client.pushed("challenge");
  await expect(client.call("open", { certificate: alice.certificate, proof })).rejects.toEqual(
    code("signature-invalid"),
  );
  await client.closed();
});

test("a certificate without its key is worth nothing", async () => {
  const { url, networkId } = await servers.start();
  const alice = await register(url, "alice");
  const mallory = await register(url, "mallory");
  await expect(
    servers.connect(url).open(networkId, { ...mallory, certificate: alice.certificate, deviceId: alice.deviceId }),
  ).rejects.toEqual(code("signature-invalid"));
});

test("a challenge is good for one try", async () => {
  const { url, networkId } = await servers.start();
  const alice = await register(url, "alice");
  const session = servers.connect(url);
  await session.open(networkId, alice);
  await expect(session.open(networkId, alice)).rejects.toEqual(code("malformed"));
  expect(await session.call("syncBuddies", { since: 0 })).toMatchObject({ revision: 0 });
});

test("certificates of another network, forged or spoiled ones open nothing", async () => {
  const { url, networkId } = await servers.start();
  const other = await servers.start();
  const alice = await register(url, "alice");
  const foreign = await register(other.url, "alice");
  await expect(servers.connect(url).open(networkId, foreign)).rejects.toEqual(code("certificate-forged"));

  const subject = {
    networkId: trustAnchor(other.networkKey, Date.now).networkId,
    handle: handle("alice"),
    userId: alice.userId,
    signKey: alice.sign.publicKey,
    boxKey: alice.box.publicKey,
    keyBinding: randomBytes(64),
    deviceId: alice.deviceId,
    serial: 1,
    issuedAt: Date.now(),
    expiresAt: Date.now() + DAY_MS,
  };
  const forge = (body: Uint8Array) => signBody(nodeSignatures, "userCertificate", body, signingKeyPair().secretKey);
  const ownBody = alice.certificate.subarray(0, -64);
  const spoiled = new Uint8Array(alice.certificate);
  spoiled[60] = (spoiled[60] ?? 0) ^ 1;
  for (const certificate of [forge(ownBody), forge(encodeUserCertificate(subject)), spoiled]) {
    await expect(servers.connect(url).open(networkId, { ...alice, certificate })).rejects.toMatchObject({
      code: expect.stringMatching(/^(certificate-forged|malformed)$/),
    });
  }
});

test.each([
  ["nothing", new Uint8Array()],
  ["noise", new Uint8Array(randomBytes(371))],
  ["too much", new Uint8Array(LIMITS.maxCertificateBytes + 1)],
])("a certificate of %s is refused by its code", async (_, certificate) => {
  const { url } = await servers.start();
  const client = servers.connect(url);
  await client.pushed("challenge");
  await expect(client.call("open", { certificate, proof: new Uint8Array(64) })).rejects.toMatchObject({
    code: expect.stringMatching(/^(malformed|too-large)$/),
  });
});

test("requests within one session are limited", async () => {
  const clock = new TestClock();
  const { url } = await servers.start({ now: clock.now, rates: { request: { burst: 4, perSecond: 1 } } });
  const session = await servers.open(url, await register(url, "alice"));
  for (let count = 0; count < 3; count++) await session.call("syncBuddies", { since: 0 });
  await expect(session.call("syncBuddies", { since: 0 })).rejects.toMatchObject({
    code: "rate-limited",
    details: { seconds: 1 },
  });
  clock.advance(1_000);
  await session.call("syncBuddies", { since: 0 });
});

test("connecting is limited per address, and the refusal says for how long", async () => {
  const clock = new TestClock();
  const { url } = await servers.start({ now: clock.now, rates: { session: { burst: 1, perSecond: 0.2 } } });
  await servers.connect(url).pushed("challenge");
  const { socket } = servers.connect(url);
  const refused = await new Promise((resolve) => socket.once("connect_error", resolve));
  expect(refused).toMatchObject({ data: { code: "rate-limited", details: { seconds: 5 } } });
});

test("a frame larger than the limit closes the socket before it is parsed", async () => {
  const { url } = await servers.start();
  const client = await servers.open(url, await register(url, "alice"));
  const answered = client.call("signOutDevice", { deviceId: newDeviceId() });
  await answered;
  client.socket.emit("syncBuddies", concatBytes([new Uint8Array(LIMITS.maxFrameBytes)]));
  await client.closed();
});

test("what a newer client asks for is answered as unknown", async () => {
  const { url } = await servers.start();
  const client = await servers.open(url, await register(url, "alice"));
  const answer: unknown = await client.socket.timeout(2_000).emitWithAck("teleport", {});
  expect(answer).toMatchObject({ ok: false, error: { code: "unknown-method", details: { what: "teleport" } } });
});

test("sessions are WebSocket only", async () => {
  const { url } = await servers.start();
  const answer = await fetch(`${url}/v1/session/?EIO=4&transport=polling`);
  expect(answer.status).toBe(400);
});

test("equal devices of different accounts do not mix", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const bob = await register(url, "bob");
  const twin = await login(url, "bob", bob.password, alice.deviceId);
  const atAlice = await servers.open(url, alice);
  await servers.open(url, twin);
  expect(await atAlice.call("syncBuddies", { since: 0 })).toMatchObject({ entries: [] });
  expect(equalBytes(alice.certificate, twin.certificate)).toBe(false);
});
