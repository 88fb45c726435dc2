import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { io } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { TIMES } from "../../protocol/limits.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { supernodeSocketOptions, supernodeUrl } from "../../protocol/pinned-tls.ts";
import { DataFolder } from "../../relay/data-folder.ts";
import { openSupernodeKeys } from "../../relay/enrolment/supernode-keys.ts";
import { attachRequest, connectRaw, TestNode } from "../support/node-api-client.ts";
import { openRawWebSocket, serveFirstFrame } from "../support/raw-websocket.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestAuthority } from "../support/test-identities.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

describe("attaching to a supernode", () => {
  let network: TestNetwork;
  const cleanUps: (() => void)[] = [];

  beforeAll(async () => {
    network = await TestNetwork.start(2, { times: { attachTimeoutMs: 400 }, limits: { maxAttachments: 3 } });
  });
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });
  afterAll(() => network.close());

  const raw = async (index = 0) => {
    const connection = await connectRaw(network.at(index));
    cleanUps.push(() => connection.socket.disconnect());
    return connection;
  };
  const attach = async (index: number, device = network.authority.device()) => {
    const node = await TestNode.attach(network.at(index), device);
    cleanUps.push(() => node.close());
    return node;
  };

  it("gives every attachment an inbox of its own", async () => {
    const device = network.authority.device();
    const first = await attach(0, device);
    first.close();
    const second = await attach(0, device);
    expect(second.inbox).toMatch(/^[0-9a-f]{32}$/);
    expect(second.inbox).not.toBe(first.inbox);
  });

  it("replaces the older socket when the same device attaches again", async () => {
    const device = network.authority.device();
    const older = await attach(0, device);
    const newer = await attach(0, device);
    await until(() => !older.socket.connected);
    expect(newer.socket.connected).toBe(true);
    await newer.register();
  });

  it("keeps two devices of one account apart", async () => {
    const seed = new Uint8Array(32).fill(9);
    const one = await attach(0, network.authority.device({ seed }));
    const other = await attach(0, network.authority.device({ seed }));
    expect(one.userId).toBe(other.userId);
    await one.register();
    await other.register();
    expect(one.socket.connected && other.socket.connected).toBe(true);
  });

  it.each([
    ["of another network", "certificate-forged", () => new TestAuthority(signingKeyPair()).device()],
    [
      "that has expired",
      "certificate-expired",
      () => network.authority.device({ issuedAt: Date.now() - 2_000, expiresAt: Date.now() - 1_000 }),
    ],
    [
      "from the future",
      "clock-skew",
      () => network.authority.device({ issuedAt: Date.now() + 2 * TIMES.maxClockSkewMs }),
    ],
    [
      "whose sealing key its account did not vouch for",
      "certificate-forged",
      () => network.authority.device({ boxKey: new Uint8Array(32) }),
    ],
    [
      "that another key has signed",
      "certificate-forged",
      () => {
        const device = network.authority.device();
        const certificate = Uint8Array.from(device.certificate);
        certificate.set([1, 2, 3], certificate.length - 10);
        return { ...device, certificate };
      },
    ],
  ])("refuses a certificate %s", async (_what, code, device) => {
    expect(await codeOf(attach(0, device()))).toBe(code);
  });

  it("refuses a proof made with another key than the certificate's", async () => {
    const device = { ...network.authority.device(), secretKey: signingKeyPair().secretKey };
    expect(await codeOf(attach(0, device))).toBe("signature-invalid");
  });

  it("refuses a proof that was seen on another connection", async () => {
    const device = network.authority.device();
    const { challenge } = await raw();
    const seen = attachRequest(network.at(0), challenge, device);
    const second = await raw();
    expect(await codeOf(second.call("attach", seen))).toBe("signature-invalid");
  });

  it("refuses a proof that was made for another supernode", async () => {
    const device = network.authority.device();
    const { challenge, call } = await raw(0);
    const forOther = attachRequest(network.at(1), challenge, device);
    expect(await codeOf(call("attach", forOther))).toBe("signature-invalid");
  });

  it("closes the connection of someone who could not prove themselves, after saying why", async () => {
    const device = network.authority.device();
    const { challenge, call, socket } = await raw();
    const request = attachRequest(network.at(0), challenge, device);
    const spoilt = { ...request, proof: new Uint8Array(64) };
    expect(await codeOf(call("attach", spoilt))).toBe("signature-invalid");
    await until(() => !socket.connected);
  });

  it("answers another protocol version with that, whatever else the request holds", async () => {
    const device = network.authority.device();
    const { challenge, socket } = await raw();
    const request = { ...attachRequest(network.at(0), challenge, device), protocolVersion: 2, somethingNew: true };
    const answer = await socket.timeout(2_000).emitWithAck("attach", request);
    expect(answer).toMatchObject({ ok: false, error: { code: "protocol-version" } });
  });

  it("closes a socket that does not attach in time, and leaves attached ones alone", async () => {
    const attached = await attach(0);
    const idle = await raw();
    await until(() => !idle.socket.connected, 2_000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(attached.socket.connected).toBe(true);
  });

  it("closes a connection that says nothing, or speaks no TLS, or stops after the handshake", async () => {
    const { host, port } = network.at(0);
    const silent = connect(port, host);
    const stranger = connect(port, host);
    stranger.write("GET / HTTP/1.1\r\n\r\n");
    const stalled = tls.connect({ host, port, rejectUnauthorized: false });
    for (const socket of [silent, stranger, stalled]) socket.on("error", () => undefined).resume();
    await Promise.all(
      [silent, stranger, stalled].map(
        (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
      ),
    );
  });

  it("asks for proof before anything else, and knows what it does not know", async () => {
    const { socket } = await raw();
    const ask = (method: string, input: unknown) => socket.timeout(2_000).emitWithAck(method, input);
    const other = network.authority.device().userId;
    expect(await ask("lookUp", { userId: other })).toMatchObject({ error: { code: "not-authenticated" } });
    expect(await ask("find", { userId: other })).toMatchObject({ error: { code: "not-authenticated" } });
    expect(await ask("eval", {})).toMatchObject({ error: { code: "unknown-method" } });
    expect(await ask("toString", {})).toMatchObject({ error: { code: "unknown-method" } });
  });

  it("lets an attached node neither attach again nor speak as a supernode", async () => {
    const node = await attach(0);
    const ask = (method: string, input: unknown) => node.socket.timeout(2_000).emitWithAck(method, input);
    expect(await ask("attach", {})).toMatchObject({ error: { code: "not-authenticated" } });
    expect(await ask("markGone", {})).toMatchObject({ error: { code: "not-authenticated" } });
    expect(node.socket.connected).toBe(true);
  });

  it("refuses newcomers when it is full, says when to come back, and drops nobody", async () => {
    const seats = await Promise.all([attach(1), attach(1), attach(1)]);
    await expect(attach(1)).rejects.toMatchObject({ code: "supernode-busy", details: { seconds: expect.any(Number) } });
    expect(seats.every((seat) => seat.socket.connected)).toBe(true);
    // A device that has a seat keeps it when it comes again.
    await attach(1, (seats[0] as TestNode).device);
  });

  it("closes a socket that sends more than a frame holds", async () => {
    const node = await attach(0);
    const other = await attach(0);
    node.socket.emit("send", { envelope: new Uint8Array(1_000_000) });
    await until(() => !node.socket.connected);
    expect(other.socket.connected).toBe(true);
  });

  it("closes a socket that speaks another framing", async () => {
    const { parser: _, ...options } = supernodeSocketOptions(network.at(0));
    const socket = io(supernodeUrl(network.at(0)), options);
    cleanUps.push(() => socket.disconnect());
    await new Promise<void>((resolve) => socket.io.once("close", () => resolve()));
    expect(socket.connected).toBe(false);
  });

  it("closes a connection that begins twice, and serves the next", async () => {
    const begin = '4{"t":0,"n":"/"}';
    const socket = await openRawWebSocket(network.at(0));
    cleanUps.push(() => socket.destroy());
    // At once: the supernode has not made a socket of the first when it reads the second.
    socket.write(begin, begin);
    await until(() => socket.isToldToClose());
    expect((await attach(0)).socket.connected).toBe(true);
  });

  it("refuses requests of a node whose certificate has run out meanwhile", async () => {
    const expiresAt = Date.now() + 3_000;
    const node = await attach(0, network.authority.device({ expiresAt }));
    await node.register();
    await until(() => Date.now() > expiresAt);
    expect(await codeOf(node.call("lookUp", { userId: node.userId }))).toBe("certificate-expired");
  });

  it("takes no requests of a node that has detached", async () => {
    const node = await attach(0);
    const detached = node.call("detach", {});
    const tooLate = codeOf(node.register());
    await detached;
    expect(await tooLate).toBe("not-attached");
    await until(() => !node.socket.connected);
  });

  it("limits how often one node asks", async () => {
    const node = await attach(0);
    const userId = network.authority.device().userId;
    const codes = await Promise.all(
      Array.from({ length: 300 }, () =>
        codeOf(node.socket.timeout(5_000).emitWithAck("lookUp", { userId }).then(throwRefusal)),
      ),
    );
    expect(codes).toContain("rate-limited");
    expect(codes).toContain("no error");
    expect(node.socket.connected).toBe(true);
  });
});

describe("the client's end", () => {
  it("sends nothing to a supernode with another TLS certificate than its Kith certificate says", async () => {
    const network = await TestNetwork.start(1);
    try {
      const impostor = { ...network.at(0), tlsFingerprint: new Uint8Array(32) };
      const failure = await connectRaw(impostor).then(
        () => "connected",
        (error: unknown) => rootOf(error),
      );
      expect(failure).toMatchObject({ code: "supernode-untrusted" });
    } finally {
      await network.close();
    }
  });

  it.each([
    ["no JSON", "0nonsense"],
    ["nothing of what is expected", "0{}"],
    ["nothing at all", "0null"],
    ["times that are none", '0{"sid":"a","upgrades":[],"pingInterval":{"toString":1},"pingTimeout":1,"maxPayload":1}'],
    ["upgrades that are none", '0{"sid":"a","upgrades":null,"pingInterval":1,"pingTimeout":1,"maxPayload":1}'],
  ])("outlives a supernode whose first words have %s", async (_what, words) => {
    const dataFolder = mkdtempSync(join(tmpdir(), "kith-relay-"));
    const folder = new DataFolder(dataFolder);
    const { tlsKey: key, tlsCertificate: cert, tlsFingerprint } = await openSupernodeKeys(folder);
    const server = await serveFirstFrame({ key, cert }, words);
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const target = { host: "127.0.0.1", port, tlsFingerprint };
    const socket = io(supernodeUrl(target), supernodeSocketOptions(target));
    try {
      const failure = await new Promise<Error>((resolve) => socket.once("connect_error", resolve));
      expect(failure.message).toBe("malformed handshake");
    } finally {
      socket.disconnect();
      server.close();
      folder.close();
      rmSync(dataFolder, { recursive: true });
    }
  });

  it("learns from the answer if the supernode does not hold the key of its certificate", async () => {
    const network = await TestNetwork.start(1);
    try {
      const liar = { ...network.at(0), signKey: signingKeyPair().publicKey };
      expect(await codeOf(TestNode.attach(liar, network.authority.device()))).toBe("signature-invalid");
    } finally {
      await network.close();
    }
  });
});

function throwRefusal(answer: {
  ok: boolean;
  error?: { code: string; message: string; details: Record<string, number> };
}) {
  if (!answer.ok && answer.error) throw KithError.fromWire(answer.error);
}

/** engine.io wraps what went wrong below it. */
function rootOf(error: unknown): unknown {
  if (error instanceof KithError || typeof error !== "object" || error === null) return error;
  if ("description" in error && error.description) return rootOf(error.description);
  if ("error" in error && error.error) return rootOf(error.error);
  return error;
}
