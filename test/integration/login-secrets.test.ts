import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { serverLog } from "../../login-server/server-log.ts";
import {
  enrol,
  enrolmentBody,
  handle,
  login,
  loginStart,
  networkIdAt,
  newSupernode,
  post,
  register,
  type TestUser,
} from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { recordingProxy } from "../support/recording-proxy.ts";

const servers = loginServers();
const PASSWORD = "correct horse battery staple 7";
const TOKEN = "a token drawn at random 0123456789";

/** Every way in which bytes could stand in a file or a message: as they are, in hexadecimal, in base64 at each alignment. */
function disguises(secret: Uint8Array): Buffer[] {
  const bytes = Buffer.from(secret);
  const inBase64 = [0, 1, 2].map((shift) => {
    // The ends depend on what stands beside the secret; the middle does not.
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    return text.slice(4, -4);
  });
  const urlSafe = inBase64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"));
  return [bytes, Buffer.from(bytes.toString("hex")), ...[...inBase64, ...urlSafe].map((text) => Buffer.from(text))];
}

function isIn(places: readonly Buffer[], secret: Uint8Array): boolean {
  return disguises(secret).some((needle) => places.some((place) => place.includes(needle)));
}

function filesIn(folder: string): Buffer[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name)));
}

function secretsOf(user: TestUser): Record<string, Uint8Array> {
  return {
    password: Buffer.from(user.password),
    "signing seed": user.sign.secretKey.subarray(0, 32),
    "sealing key": user.box.secretKey,
    "profile key": user.profileKey,
    "export key": Buffer.from(user.exportKey, "base64url"),
  };
}

test("no password and no private key reaches the server, its files or the wire", async () => {
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder });
  const proxy = await recordingProxy(server.port);
  const { url } = proxy;
  const alice = await register(url, "alice", PASSWORD);
  await loginStart(url, "alice", PASSWORD);
  const laptop = await login(url, "alice", PASSWORD);
  const bob = await register(url, "bob", PASSWORD);
  const atAlice = servers.connect(url);
  await atAlice.open(await networkIdAt(url), laptop);
  await atAlice.call("requestBuddy", { handle: bob.handle, greeting: "a greeting that is no secret" });
  const places = [...proxy.sent(), ...proxy.received(), ...filesIn(dataFolder)];

  // First that the search finds what must be there, in each place.
  expect(isIn(proxy.sent(), alice.sign.publicKey)).toBe(true);
  expect(isIn(proxy.sent(), Buffer.from("a greeting that is no secret"))).toBe(true);
  expect(isIn(proxy.received(), alice.certificate)).toBe(true);
  expect(isIn(filesIn(dataFolder), alice.box.publicKey)).toBe(true);
  expect(isIn(filesIn(dataFolder), Buffer.from("a greeting that is no secret"))).toBe(true);

  for (const user of [alice, laptop, bob]) {
    for (const [name, secret] of Object.entries(secretsOf(user)))
      expect([name, isIn(places, secret)]).toEqual([name, false]);
  }
  await proxy.close();
});

test("the keys file and the database are for the server's own account only", async () => {
  const dataFolder = servers.folder();
  await servers.start({ dataFolder });
  for (const name of ["network-keys.json", "login.db"]) {
    expect([name, statSync(join(dataFolder, name)).mode & 0o777]).toEqual([name, 0o600]);
  }
});

test("the network's private key leaves the keys file for nowhere", async () => {
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder });
  const proxy = await recordingProxy(server.port);
  await register(proxy.url, "alice");
  await enrol(proxy.url, newSupernode(1), server.enrolmentToken);
  const keys = JSON.parse(readFileSync(join(dataFolder, "network-keys.json"), "utf8")) as Record<string, string>;
  const seed = Buffer.from(keys.networkSeed ?? "", "base64");
  const setup = Buffer.from(keys.opaqueSetup ?? "", "base64url");
  const database = readdirSync(dataFolder)
    .filter((name) => name.startsWith("login.db"))
    .map((name) => readFileSync(join(dataFolder, name)));
  expect(isIn(filesIn(dataFolder), seed)).toBe(true);
  expect(isIn(proxy.received(), server.networkKey)).toBe(true);
  for (const secret of [seed, setup]) expect(isIn([...database, ...proxy.received()], secret)).toBe(false);
  await proxy.close();
});

test("the log names no person, address, device or token", async () => {
  const lines: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(Buffer.from(chunk));
      done();
    },
  });
  const server = await servers.start({ log: serverLog("trace", sink), enrolmentToken: TOKEN });
  const { url } = server;
  const alice = await register(url, "alice.in.wonderland", PASSWORD);
  await register(url, "bob.the.builder");
  const session = await servers.open(url, alice);
  await session.call("requestBuddy", { handle: handle("bob.the.builder"), greeting: "down the rabbit hole" });
  await enrol(url, newSupernode(1, "relay.example.org"), TOKEN);
  await post(url, "/v1/supernodes/enrol", await enrolmentBody(url, newSupernode(1), `${TOKEN}x`));
  await post(url, "/v1/login/finish", { attempt: "alice.in.wonderland" });
  await post(url, "/alice.in.wonderland", {});
  const refusedRow = { code: "23505", detail: "Key (handle)=(alice.in.wonderland) already exists.", where: "rabbit" };
  serverLog("trace", sink).error({ err: Object.assign(new Error("duplicate key"), refusedRow) }, "internal");
  await server.close();
  const log = [Buffer.concat(lines)];
  expect(log[0]?.toString()).toContain('"code":"23505"');
  expect(log[0]?.toString()).toContain('"route":"/v1/register/finish"');
  expect(log[0]?.toString()).not.toContain("127.0.0.1");
  const words = ["wonderland", "the.builder", "rabbit", TOKEN, "relay.example", alice.userId, alice.deviceId, PASSWORD];
  for (const word of words) expect(log[0]?.toString()).not.toContain(word);
  expect(isIn(log, alice.sign.publicKey)).toBe(false);
});
