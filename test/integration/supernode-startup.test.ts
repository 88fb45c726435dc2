import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { TIMES } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { trustSupernodeCertificate } from "../../protocol/trust.ts";
import { type Supernode, type SupernodeOptions, startSupernode } from "../../relay/supernode.ts";
import { connectRaw, TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;

describe("starting a supernode", () => {
  const cleanUps: (() => unknown)[] = [];

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const networkOf = async (count: number, options: Partial<SupernodeOptions> = {}) => {
    const network = await TestNetwork.start(count, options);
    cleanUps.push(() => network.close());
    return network;
  };
  const start = async (options: SupernodeOptions): Promise<Supernode> => {
    const supernode = await startSupernode(options);
    cleanUps.push(() => supernode.close());
    return supernode;
  };
  /** Something that answers HTTP but is no login server of ours. */
  const httpServer = async (answer: RequestListener): Promise<string> => {
    const server = createHttpServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanUps.push(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  };

  it("is the same supernode at the same address after a restart", async () => {
    const network = await networkOf(0);
    const options = network.options();
    const first = await startSupernode(options);
    await first.close();
    const second = await start(options);
    expect(second.supernodeId).toBe(first.supernodeId);
    expect(second.port).toBe(first.port);
  });

  it("takes another port if somebody has its own now, and is found there", async () => {
    const network = await networkOf(0);
    const options = network.options();
    const first = await startSupernode(options);
    await first.close();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(first.port, "127.0.0.1", resolve));
    cleanUps.push(() => squatter.close());
    const second = await start(options);
    expect(second.supernodeId).toBe(first.supernodeId);
    expect(second.port).not.toBe(first.port);
    const node = await TestNode.attach(await network.certificateOf(second.supernodeId), network.authority.device());
    node.close();
  });

  it("keeps its secrets to itself", async () => {
    const network = await networkOf(0);
    const options = network.options();
    await start(options);
    for (const name of ["keys.json", "certificate", "network-key"]) {
      expect(statSync(join(options.dataFolder, name)).mode & 0o777, name).toBe(0o600);
    }
    const inside = network.options({ dataFolder: join(options.dataFolder, "deeper", "still") });
    await start(inside);
    expect(statSync(inside.dataFolder).mode & 0o777).toBe(0o700);
  });

  it("starts and serves while the login server is away, once it has been there", async () => {
    const network = await networkOf(2);
    const [first, second] = network.supernodes;
    if (!first || !second) throw new RangeError("two are needed");
    await first.close();
    await network.loginServer.close();
    const again = await start(network.options({ dataFolder: first.dataFolder }));
    expect(again.members()).toContain(second.supernodeId);
    const alice = await TestNode.online(first.certificate, network.authority.device());
    const bob = await TestNode.online(second.certificate, network.authority.device());
    cleanUps.push(
      () => alice.close(),
      () => bob.close(),
    );
    expect(await alice.send(bob, new Uint8Array([1]))).toEqual({ delivered: true });
  });

  it("cannot start for the first time without a login server, nor with a wrong token, and leaves nothing open", async () => {
    const network = await networkOf(0);
    const options = network.options();
    const unreachable = startSupernode({ ...options, loginServer: "http://127.0.0.1:1" });
    expect(await codeOf(unreachable)).toBe("login-server-unreachable");
    const badToken = startSupernode({ ...options, enrolmentToken: "a token that was never given out" });
    expect(await codeOf(badToken)).toBe("enrolment-refused");
    await start(options);
  });

  it.each([
    ["a web page", (_request, response) => response.end("<html>It works!</html>"), "login-server-nonsense"],
    ["nothing but errors", (_request, response) => response.writeHead(500).end("oops"), "login-server-nonsense"],
    [
      "another version",
      (_request, response) =>
        response.end(
          JSON.stringify({
            kith: "login-server",
            protocolVersion: 2,
            networkId: "00".repeat(20),
            networkKey: Buffer.alloc(32).toString("base64"),
            name: "x",
            registration: "open",
            now: 0,
          }),
        ),
      "protocol-version",
    ],
    [
      "a key that is not the network's",
      (_request, response) =>
        response.end(
          JSON.stringify({
            kith: "login-server",
            protocolVersion: 1,
            networkId: "00".repeat(20),
            networkKey: Buffer.alloc(32).toString("base64"),
            name: "x",
            registration: "open",
            now: 0,
          }),
        ),
      "login-server-nonsense",
    ],
    [
      "more than it could ever have to say",
      (_request, response) => {
        response.on("error", () => undefined);
        const chunk = Buffer.alloc(1_000_000, 32);
        const more = () => {
          while (!response.destroyed && response.write(chunk));
          response.once("drain", more);
        };
        more();
      },
      "login-server-nonsense",
    ],
  ] satisfies [string, RequestListener, string][])(
    "refuses a login server that answers %s",
    async (_what, answer, code) => {
      const network = await networkOf(0);
      const loginServer = await httpServer(answer);
      expect(await codeOf(startSupernode({ ...network.options(), loginServer }))).toBe(code);
    },
  );

  it("does not go over to another network that answers at the old one's address", async () => {
    const network = await networkOf(0);
    const other = await networkOf(0);
    const options = network.options();
    const supernode = await startSupernode(options);
    await supernode.close();
    const moved = startSupernode({ ...options, loginServer: other.loginServer.url });
    expect(await codeOf(moved)).toBe("network-changed");
  });

  it("speaks plain http to its own machine only", async () => {
    const network = await networkOf(0);
    const options = network.options();
    expect(await codeOf(startSupernode({ ...options, loginServer: "http://192.0.2.1:80" }))).toBe(
      "login-server-insecure",
    );
    expect(await codeOf(startSupernode({ ...options, loginServer: "kith" }))).toBe("login-server-address");
    expect(await codeOf(startSupernode({ ...options, loginServer: "ftp://127.0.0.1" }))).toBe("login-server-address");
  });

  it("says when the port is taken or the address is not this machine's", async () => {
    const network = await networkOf(1);
    const taken = network.supernodes[0]?.port ?? 0;
    expect(await codeOf(startSupernode(network.options({ port: taken })))).toBe("port-in-use");
    expect(await codeOf(startSupernode(network.options({ listen: "192.0.2.1" })))).toBe("option-invalid");
  });

  it("leaves a data folder that is in use, damaged, newer or no folder exactly as it is", async () => {
    const network = await networkOf(1);
    const inUse = network.supernodes[0]?.dataFolder ?? "";
    expect(await codeOf(startSupernode(network.options({ dataFolder: inUse })))).toBe("data-in-use");

    for (const [text, code] of [
      ["{", "data-corrupt"],
      [JSON.stringify({ version: 1, signSeed: "AAAA", tlsKey: "", tlsCertificate: "" }), "data-corrupt"],
      [JSON.stringify({ version: 2 }), "data-newer"],
    ] as const) {
      const folder = network.folder();
      writeFileSync(join(folder, "keys.json"), text);
      expect(await codeOf(startSupernode(network.options({ dataFolder: folder })))).toBe(code);
      expect(readFileSync(join(folder, "keys.json"), "utf8")).toBe(text);
    }

    const file = join(network.folder(), "file");
    writeFileSync(file, "");
    expect(await codeOf(startSupernode(network.options({ dataFolder: file })))).toBe("data-folder-unwritable");
    const blocked = network.folder();
    mkdirSync(join(blocked, "keys.json.new"));
    expect(await codeOf(startSupernode(network.options({ dataFolder: blocked })))).toBe("data-folder-unwritable");
    expect(existsSync(join(blocked, "keys.json"))).toBe(false);
  });

  it("gets another certificate when the kept one is damaged", async () => {
    const network = await networkOf(0);
    const options = network.options();
    const first = await startSupernode(options);
    await first.close();
    writeFileSync(join(options.dataFolder, "certificate"), "not one");
    const second = await start(options);
    expect(second.supernodeId).toBe(first.supernodeId);
  });

  it("renews its certificate from half-life on, and shows the new one", async () => {
    let now = Date.now();
    const network = await networkOf(1, { now: () => now, times: { renewalCheckMs: 20 } });
    const shown = async () => {
      const { challenge, socket } = await connectRaw(network.at(0));
      socket.disconnect();
      return trustSupernodeCertificate(
        trustAnchor(network.authority.networkKey, () => now),
        challenge.certificate,
      ).value;
    };
    const before = await shown();
    now += TIMES.supernodeCertificateMs / 2 - DAY_MS;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await shown()).serial).toBe(before.serial);
    now += 2 * DAY_MS;
    await until(async () => (await shown()).serial > before.serial);
    expect((await shown()).expiresAt).toBe(now + TIMES.supernodeCertificateMs);
  });

  it("does not start with a certificate that has expired while the login server is away", async () => {
    let now = Date.now();
    const network = await networkOf(0, { now: () => now });
    const options = network.options({ now: () => now });
    const supernode = await startSupernode(options);
    await supernode.close();
    await network.loginServer.close();
    now += TIMES.supernodeCertificateMs + DAY_MS;
    expect(await codeOf(startSupernode(options))).toBe("login-server-unreachable");
  });

  it("does not start for the first time by a clock that is wrong by more than five minutes, and is right by less", async () => {
    const network = await networkOf(0);
    const startAt = (aheadMs: number) => start(network.options({ now: () => Date.now() + aheadMs }));
    expect(await codeOf(startAt(6 * MINUTE_MS))).toBe("clock-skew");
    expect(await codeOf(startAt(-6 * MINUTE_MS))).toBe("clock-skew");
    expect((await startAt(4 * MINUTE_MS)).stage().kind).toBe("member");
  });

  it("tells its nodes to go elsewhere before it closes, and waits until they have", async () => {
    const network = await networkOf(2);
    const device = network.authority.device();
    const bob = await TestNode.online(network.at(0), device);
    const watcher = await TestNode.online(network.at(1), network.authority.device());
    cleanUps.push(
      () => bob.close(),
      () => watcher.close(),
    );
    await watcher.call("watch", { userIds: [bob.userId] });
    const startedAt = performance.now();
    const drained = network.supernodes[0]?.drain(10_000);
    await until(() => bob.toldToGo.length > 0);
    expect(bob.toldToGo).toHaveLength(1);
    expect(bob.toldToGo[0]?.withinMs).toBeLessThanOrEqual(10_000);
    expect(bob.toldToGo[0]?.elsewhere).toEqual([network.at(1).supernodeId]);
    expect(await codeOf(TestNode.attach(network.at(0), network.authority.device()))).toBe("supernode-busy");
    const moved = await TestNode.online(network.at(1), device);
    cleanUps.push(() => moved.close());
    bob.close();
    await drained;
    expect(performance.now() - startedAt).toBeLessThan(9_000);
    await watcher.sees(device.userId, "online");
    expect(watcher.pushed.at(-1)?.devices[0]?.inbox).toBe(moved.inbox);
  });

  it("says of those who stayed to the end that they are gone", async () => {
    const network = await networkOf(2);
    const bob = await TestNode.online(network.at(0), network.authority.device());
    const watcher = await TestNode.online(network.at(1), network.authority.device());
    cleanUps.push(
      () => bob.close(),
      () => watcher.close(),
    );
    await watcher.call("watch", { userIds: [bob.userId] });
    await network.supernodes[0]?.drain(50);
    await watcher.sees(bob.userId, "gone");
    await until(() => !bob.socket.connected);
  });
});
