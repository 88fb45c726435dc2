/** Supernodes, buddies and strangers that mean no good: nothing of theirs is used, shown or rung for. */
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { appSignatures } from "../../main/account/account-keys.ts";
import { newMessageId } from "../../main/core/randomness.ts";
import { toHex } from "../../protocol/bytes.ts";
import {
  decodeSupernodeCertificate,
  encodeSupernodeCertificate,
  type SupernodeCertificate,
} from "../../protocol/certificate.ts";
import { decodeEnvelope, encodeEnvelope } from "../../protocol/envelope.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import { decodeSupernodeList } from "../../protocol/supernode-list.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNode } from "../support/node-api-client.ts";
import { random } from "../support/test-account.ts";
import { TestNetwork } from "../support/test-network.ts";

let network: TestNetwork;
let round = 0;
const clients: HeadlessClient[] = [];
const traps: Server[] = [];

beforeAll(async () => {
  network = await TestNetwork.start(2);
});
afterAll(() => network.close());

beforeEach(() => {
  round++;
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const trap of traps.splice(0)) trap.close();
});

/** Each test has people of its own, in the same network. */
const named = (name: string) => `${name}-${round}`;

async function signedUp(
  name: string,
  options: Parameters<typeof HeadlessClient.open>[1] = {},
): Promise<HeadlessClient> {
  const client = await HeadlessClient.signedUp(network.loginServer.url, named(name), options);
  clients.push(client);
  return client;
}

/** Somebody who listens where a supernode might, and counts who comes. @param says to everybody, at once */
async function trap(says = ""): Promise<{ port: number; visits: () => number; heard: () => Buffer }> {
  let visits = 0;
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    visits++;
    socket.on("error", () => {}).on("data", (bytes) => heard.push(bytes));
    if (says) socket.write(says);
  });
  traps.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, visits: () => visits, heard: () => Buffer.concat(heard) };
}

function certificate(port: number, change: Partial<SupernodeCertificate> = {}): SupernodeCertificate {
  return {
    networkId: network.authority.networkId,
    supernodeId: SupernodeId.parse(toHex(randomBytes(20))),
    signKey: signingKeyPair().publicKey,
    tlsFingerprint: random(32),
    host: "127.0.0.1",
    port,
    serial: 1,
    issuedAt: Date.now() - 1_000,
    expiresAt: Date.now() + 3_600_000,
    ...change,
  };
}

/** The real list, with more in it; signed by the network key, as a login server that was taken over could. */
function fetchWithMore(more: readonly Uint8Array[], onlyThese = false): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).endsWith("/v1/supernodes")) return response;
    const { list } = (await response.json()) as { list: string };
    const { value } = decodeSupernodeList(Buffer.from(list, "base64"));
    const extra: Signed<SupernodeCertificate>[] = more.map((bytes) => decodeSupernodeCertificate(bytes));
    const supernodes = [...extra, ...(onlyThese ? [] : value.supernodes)];
    const forged = network.authority.supernodeList({ ...value, supernodes });
    return Response.json({ list: Buffer.from(forged).toString("base64") });
  };
}

describe("a supernode", () => {
  test("whose certificate has expired or was not issued by the network is never even called", async () => {
    const expired = await trap();
    const forged = await trap();
    const other = signingKeyPair();
    const forgedBody = encodeSupernodeCertificate(certificate(forged.port));
    const more = [
      network.authority.supernodeCertificate(certificate(expired.port, { expiresAt: Date.now() - 1 })),
      signBody(nodeSignatures, "supernodeCertificate", forgedBody, other.secretKey),
    ];
    const alice = await signedUp("alice", { fetch: fetchWithMore(more) });
    expect(alice.me.attached).toBe(true);
    // Another restart draws the lots anew.
    const again = await alice.reopen({ fetch: fetchWithMore(more) });
    clients.push(again);
    await again.attached();
    expect({ expired: expired.visits(), forged: forged.visits() }).toEqual({ expired: 0, forged: 0 });
  });

  test("that is not who its certificate says, or speaks nonsense, is told nothing, and another one is used", async () => {
    const nonsense = await trap("HTTP/1.1 200 OK\r\n\r\nhello");
    const silent = await trap();
    // The certificate is genuine, but at this address another supernode answers: not the TLS key that it names.
    const impostor = certificate(network.at(0).port);
    const more = [certificate(nonsense.port), certificate(silent.port), impostor];
    const list = more.map((value) => network.authority.supernodeCertificate(value));
    const alice = await HeadlessClient.open(network.loginServer.url, { fetch: fetchWithMore(list) });
    clients.push(alice);
    await alice.signUp(named("alice"));
    await alice.attached(25_000);
    const { handle } = alice.me;
    for (const { heard } of [nonsense, silent]) expect(heard().includes(handle)).toBe(false);
  }, 40_000);

  test("that is the only one and cannot be trusted leaves the client unattached, and says so", async () => {
    const impostor = network.authority.supernodeCertificate(certificate(network.at(0).port));
    const alice = await HeadlessClient.open(network.loginServer.url, { fetch: fetchWithMore([impostor], true) });
    clients.push(alice);
    await alice.signUp(named("alice"));
    await alice.until(() => alice.me.notices.some(({ code }) => code === "supernode-untrusted"), "untrusted");
    expect(alice.me.attached).toBe(false);
  });
});

describe("an envelope", () => {
  /** Bob, and a certified stranger who knows where Bob is reached. */
  async function bobAndStranger() {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    const stranger = await TestNode.online(network.at(0), network.authority.device());
    const { devices } = await stranger.call("lookUp", { userId: bob.me.userId });
    const target = devices[0];
    if (!target) throw new Error("Bob is nowhere");
    return { alice, bob, stranger, target };
  }

  test("from a stranger, however well made, is neither shown nor rung for", async () => {
    const { alice, bob, stranger, target } = await bobAndStranger();
    const body = encodeEnvelope({
      id: newMessageId(random),
      sender: { userId: stranger.userId, deviceId: stranger.device.deviceId },
      recipient: { userId: bob.me.userId, deviceId: bob.me.deviceId },
      sentAt: Date.now(),
      nonce: random(24),
      sealed: random(200),
    });
    const own = signBody(appSignatures, "envelope", body, stranger.device.secretKey);
    const asAlice = encodeEnvelope({
      ...decodeEnvelope(own).value,
      id: newMessageId(random),
      sender: { userId: alice.me.userId, deviceId: alice.me.deviceId },
    });
    const { home, inbox } = target;
    for (const envelope of [
      own,
      signBody(appSignatures, "envelope", asAlice, stranger.device.secretKey),
      random(500),
      new Uint8Array(0),
      random(LIMITS.maxEnvelopeBytes),
    ]) {
      // Taken and dropped: the supernode learns nothing of why.
      expect(await stranger.call("send", { home, inbox, envelope })).toEqual({ delivered: true });
    }
    const pushes = bob.count("line") + bob.count("call");
    await alice.say(named("bob"), "real");
    await bob.hears("real");
    expect(bob.count("line") + bob.count("call")).toBe(pushes + 1);
    expect(await bob.texts(named("alice"))).toEqual(["real"]);
    stranger.socket.disconnect();
  });
});

describe("what a window or a buddy sends too much of", () => {
  test("a message of 1 MB, of nothing, or of more than fits an envelope is refused, and the next one goes", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    const tooLong = expect.objectContaining({ code: "message-too-long" });
    await expect(alice.say(named("bob"), "x".repeat(1_000_000))).rejects.toEqual(tooLong);
    await expect(alice.say(named("bob"), "x".repeat(LIMITS.maxMessageLength + 1))).rejects.toEqual(tooLong);
    // Within the limit as it is counted, but each takes six bytes on the way.
    await expect(alice.say(named("bob"), "\u0001".repeat(LIMITS.maxMessageLength))).rejects.toEqual(tooLong);
    await expect(alice.say(named("bob"), " \n ")).rejects.toEqual(expect.objectContaining({ code: "message-empty" }));

    const longest = [
      "x".repeat(LIMITS.maxMessageLength),
      "\u{1f600}".repeat(LIMITS.maxMessageLength / 2),
      "語".repeat(12_000),
    ];
    for (const text of longest) {
      await alice.say(named("bob"), text);
      await bob.hears(text);
    }
  });

  test("something that is no voice message is refused, a real one comes out bit for bit", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    const peer = alice.idOf(named("bob"));
    const ogg = new Uint8Array(randomBytes(150_000));
    await expect(alice.methods.sendVoice({ peer, ogg, durationMs: 9_000 })).rejects.toEqual(
      expect.objectContaining({ code: "malformed" }),
    );
    const huge = new Uint8Array(LIMITS.maxVoiceMessageBytes + 1);
    await expect(alice.methods.sendVoice({ peer, ogg: huge, durationMs: 9_000 })).rejects.toEqual(
      expect.objectContaining({ code: "too-large" }),
    );
    ogg.set([0x4f, 0x67, 0x67, 0x53]);
    await alice.methods.sendVoice({ peer, ogg, durationMs: 9_000 });
    const line = await bob.line(({ kind }) => kind === "voice", "voice message");
    if (line.kind !== "voice") throw new Error("not a voice message");
    expect(line).toMatchObject({ durationMs: 9_000, mine: false });
    expect(Buffer.from((await bob.methods.readVoice({ messageId: line.messageId })).ogg).equals(ogg)).toBe(true);
    await alice.line((mine) => mine.kind === "voice" && mine.delivery === "delivered", "delivered");
  });

  test("somebody who is no buddy can neither be written to nor called", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.methods.requestBuddy({ handle: named("bob"), greeting: "Hello" });
    const notABuddy = expect.objectContaining({ code: "not-a-buddy" });
    await bob.until(() => bob.buddy(named("alice"))?.relation === "asks-me", "asked");
    await expect(alice.say(named("bob"), "already?")).rejects.toEqual(notABuddy);
    await expect(alice.methods.dial({ peer: alice.idOf(named("bob")) })).rejects.toEqual(notABuddy);
    await bob.methods.declineBuddy({ userId: bob.idOf(named("alice")) });
    await alice.until(() => alice.buddy(named("bob")) === undefined, "declined");
  });

  test("somebody who was removed is no longer heard", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    await alice.say(named("bob"), "before");
    await bob.hears("before");
    const peer = bob.me.userId;
    await alice.methods.removeBuddy({ userId: peer });
    await Promise.all([
      alice.until(() => alice.buddy(named("bob")) === undefined, "removed"),
      bob.until(() => bob.buddy(named("alice")) === undefined, "removed"),
    ]);
    await expect(alice.methods.sendMessage({ peer, text: "after" })).rejects.toMatchObject({ code: "not-a-buddy" });
    // Once they are buddies again they are heard again, with the same keys.
    await alice.befriend(bob);
    await alice.say(named("bob"), "again");
    await bob.hears("again");
  });
});
