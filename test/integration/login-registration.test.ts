import { describe, expect, test } from "vitest";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import {
  bytesOf,
  codeOf,
  get,
  login,
  newDeviceId,
  newUser,
  post,
  register,
  registrationBody,
} from "../support/login-api-client.ts";
import { loginServers, TestClock } from "../support/login-server-fixture.ts";

const servers = loginServers();
const FINISH = "/v1/register/finish";

test("the network says who it is, and its ID follows from its key", async () => {
  const clock = new TestClock();
  const server = await servers.start({ name: "Chess club", now: clock.now });
  const { status, body } = await get(server.url, "/v1/network");
  expect(status).toBe(200);
  expect(body).toEqual({
    kith: "login-server",
    protocolVersion: 1,
    networkId: networkIdOf(server.networkKey),
    networkKey: Buffer.from(server.networkKey).toString("base64"),
    successions: "",
    name: "Chess club",
    registration: "open",
    now: clock.now(),
  });
});

test("a new account gets a certificate of this network over its own keys", async () => {
  const clock = new TestClock();
  const server = await servers.start({ now: clock.now });
  const alice = await register(server.url, "alice");
  const { value } = trustUserCertificate(trustAnchor(server.networkKey, clock.now), alice.certificate);
  expect(value).toMatchObject({
    handle: "alice",
    userId: alice.userId,
    deviceId: alice.deviceId,
    issuedAt: clock.now(),
    expiresAt: clock.now() + 30 * 24 * 3_600_000,
  });
  expect(value.signKey).toEqual(alice.sign.publicKey);
  expect(value.boxKey).toEqual(alice.box.publicKey);
});

test("serials grow with every certificate", async () => {
  const server = await servers.start();
  const alice = await register(server.url, "alice");
  const again = await login(server.url, "alice", alice.password);
  const bob = await register(server.url, "bob");
  const anchor = trustAnchor(server.networkKey, Date.now);
  const serials = [alice, again, bob].map((user) => trustUserCertificate(anchor, user.certificate).value.serial);
  expect(serials[1]).toBeGreaterThan(serials[0] ?? 0);
  expect(serials[2]).toBeGreaterThan(serials[1] ?? 0);
});

test("a taken handle is refused at the start already, and the account stays its owner's", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const start = await post(url, "/v1/register/start", { handle: "alice", request: "AAAA" });
  expect([start.status, codeOf(start)]).toEqual([409, "handle-taken"]);
  expect((await login(url, "alice", alice.password)).sign.secretKey).toEqual(alice.sign.secretKey);
});

test("of two who register a handle at the same time, exactly one gets it", async () => {
  const { url } = await servers.start();
  const users = [newUser("alice"), newUser("alice"), newUser("alice")];
  const requests = await Promise.all(users.map((user) => registrationBody(url, user)));
  const answers = await Promise.all(requests.map(({ body }) => post(url, FINISH, body)));
  expect(answers.map(codeOf).sort()).toEqual(["handle-taken", "handle-taken", "ok"]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
});

test("the same request again, after a lost answer, finds the account that it made", async () => {
  const { url } = await servers.start();
  const { body } = await registrationBody(url, newUser("alice"));
  expect(codeOf(await post(url, FINISH, body))).toBe("ok");
  expect(codeOf(await post(url, FINISH, body))).toBe("ok");
});

test("keys belong to one account", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const { body } = await registrationBody(url, { ...newUser("alice2"), sign: alice.sign });
  expect(codeOf(await post(url, FINISH, body))).toBe("malformed");
  await expect(login(url, "alice2", "secret of alice2")).rejects.toThrow("wrong-password");
});

test("a network that is closed says so and takes nobody", async () => {
  const dataFolder = servers.folder();
  const open = await servers.start({ dataFolder });
  const { body } = await registrationBody(open.url, newUser("alice"));
  await open.close();
  const { url } = await servers.start({ dataFolder, registration: "closed" });
  expect((await get(url, "/v1/network")).body.registration).toBe("closed");
  const start = await post(url, "/v1/register/start", { handle: "alice", request: "AAAA" });
  expect([start.status, codeOf(start)]).toEqual([403, "registration-closed"]);
  expect(codeOf(await post(url, FINISH, body))).toBe("registration-closed");
});

test.each([
  "",
  "al",
  "Alice",
  "1alice",
  "alice!",
  "a".repeat(33),
  "älice",
  "alice\0",
  "<b>alice</b>",
  "alice' --",
  "\u0430lice",
  "\u03bflivia",
  "\uff41lice",
  "al\u200bice",
  "\u202ealice",
  "\u212aate",
  "ali\ufb01",
  "alice\u{1f600}",
  "alice\n",
])("%j is no handle", async (name) => {
  const { url } = await servers.start();
  const start = await post(url, "/v1/register/start", { handle: name, request: "AAAA" });
  expect([start.status, codeOf(start)]).toEqual([400, "handle-malformed"]);
});

describe("what is not proved is refused and leaves no account:", () => {
  const flipped = (text: unknown): string => {
    const bytes = bytesOf(String(text));
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return Buffer.from(bytes).toString("base64");
  };
  const base64 = (size: number) => Buffer.alloc(size, 7).toString("base64");
  type Body = Awaited<ReturnType<typeof registrationBody>>["body"];

  test.each<[string, string, (body: Body) => object]>([
    ["another handle than was signed", "signature-invalid", () => ({ handle: "mallory" })],
    ["another vault than was signed", "signature-invalid", ({ vault }) => ({ vault: flipped(vault) })],
    ["another device than was signed", "signature-invalid", () => ({ deviceId: newDeviceId() })],
    ["a spoiled proof", "signature-invalid", ({ proof }) => ({ proof: flipped(proof) })],
    ["somebody else's signing key", "certificate-forged", ({ signKey }) => ({ signKey: flipped(signKey) })],
    ["a sealing key that is not bound", "certificate-forged", ({ boxKey }) => ({ boxKey: flipped(boxKey) })],
    ["a spoiled key binding", "certificate-forged", ({ keyBinding }) => ({ keyBinding: flipped(keyBinding) })],
    ["a vault one byte too short", "malformed", () => ({ vault: base64(135) })],
    ["a vault one byte too long", "malformed", () => ({ vault: base64(137) })],
    ["an empty vault", "malformed", () => ({ vault: "" })],
    ["a short signing key", "malformed", () => ({ signKey: base64(31) })],
    ["a long signature", "malformed", () => ({ proof: base64(65) })],
    ["a record that OPAQUE does not know", "malformed", () => ({ record: "AAAA" })],
    ["a field too many", "malformed", () => ({ admin: true })],
    ["a device without a name", "malformed", () => ({ deviceName: "  " })],
  ])("%s", async (_, code, spoil) => {
    const { url } = await servers.start();
    const { body } = await registrationBody(url, newUser("alice"));
    const answer = await post(url, FINISH, { ...body, ...spoil(body) });
    expect(codeOf(answer)).toBe(code);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(codeOf(await post(url, FINISH, body))).toBe("ok");
  });
});

test("accounts cannot be made past the limit by leaving out the start", async () => {
  const { url } = await servers.start({ rates: { registration: { burst: 1, perSecond: 0.001 } } });
  const { body } = await registrationBody(url, newUser("alice"));
  expect(codeOf(await post(url, FINISH, body))).toBe("ok");
  expect(codeOf(await post(url, FINISH, body))).toBe("rate-limited");
});

test("registering is limited per address, and the answer says for how long", async () => {
  const clock = new TestClock();
  const { url } = await servers.start({ now: clock.now, rates: { registration: { burst: 2, perSecond: 0.1 } } });
  await register(url, "alice");
  await register(url, "bob");
  const refused = await post(url, "/v1/register/start", { handle: "carol", request: "AAAA" });
  expect([refused.status, codeOf(refused), refused.headers.get("retry-after")]).toEqual([429, "rate-limited", "10"]);
  expect(refused.body).toMatchObject({ error: { details: { seconds: 10 } } });
  clock.advance(10_000);
  await register(url, "carol");
});
