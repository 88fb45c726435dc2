import * as opaque from "@serenity-kit/opaque";
import { expect, test } from "vitest";
import { LIMITS } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import {
  codeOf,
  login,
  loginProof,
  loginStart,
  newDeviceId,
  post,
  register,
  type TestUser,
} from "../support/login-api-client.ts";
import { loginServers, TestClock } from "../support/login-server-fixture.ts";

const servers = loginServers();
const FINISH = "/v1/login/finish";
const device = () => ({ deviceId: newDeviceId(), deviceName: "a device" });

/** The body of a login/finish that the server should accept. */
async function finishBody(url: string, user: TestUser) {
  const start = await loginStart(url, user.handle, user.password);
  const proof = loginProof(start, user.password);
  if (!proof) throw new Error("the right password did not work");
  return { attempt: start.answer.body.attempt, request: proof.finishLoginRequest, ...device() };
}

test("handle and password alone bring the same keys to another machine, with a certificate of its own", async () => {
  const server = await servers.start();
  const alice = await register(server.url, "alice");
  const elsewhere = await login(server.url, "alice", alice.password);
  expect(elsewhere.sign).toEqual(alice.sign);
  expect(elsewhere.box).toEqual(alice.box);
  expect(elsewhere.profileKey).toEqual(new Uint8Array(alice.profileKey));
  const { value } = trustUserCertificate(trustAnchor(server.networkKey, Date.now), elsewhere.certificate);
  expect(value).toMatchObject({ handle: "alice", userId: alice.userId, deviceId: elsewhere.deviceId });
});

test("a wrong password shows at the client, and a made-up proof does not pass the server", async () => {
  const { url } = await servers.start();
  await register(url, "alice");
  const start = await loginStart(url, "alice", "a guess");
  expect(loginProof(start, "a guess")).toBeUndefined();
  const made = Buffer.alloc(64, 1).toString("base64url");
  const answer = await post(url, FINISH, { attempt: start.answer.body.attempt, request: made, ...device() });
  expect([answer.status, codeOf(answer)]).toEqual([401, "wrong-password"]);
});

/** What a client might send for a good message: of another length, step or group. */
function spoiledMessages(message: string): string[] {
  const bytes = Buffer.from(message, "base64url");
  const filled = (value: number, from: number) => Buffer.from(bytes).fill(value, from, from + 32);
  const spoiled = [
    Buffer.alloc(0),
    bytes.subarray(0, bytes.length - 1),
    Buffer.concat([bytes, bytes]),
    Buffer.concat([bytes, Buffer.alloc(1)]),
    filled(0, 0),
    filled(255, 0),
    filled(0, bytes.length - 32),
    filled(255, bytes.length - 32),
  ];
  return [...spoiled.map((text) => text.toString("base64url")), `${message}=`, `${message.slice(0, -1)}ä`];
}

test("a first message that is cut, stretched or of no group element is malformed, whoever it is about, and a good one works after it", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const { startLoginRequest } = opaque.client.startLogin({ password: alice.password });
  const { registrationRequest } = opaque.client.startRegistration({ password: alice.password });
  for (const name of ["alice", "nobody"]) {
    for (const request of [...spoiledMessages(startLoginRequest), registrationRequest]) {
      const answer = await post(url, "/v1/login/start", { handle: name, request });
      expect([answer.status, codeOf(answer)]).toEqual([400, "malformed"]);
    }
  }
  for (const request of [...spoiledMessages(registrationRequest), startLoginRequest]) {
    expect(codeOf(await post(url, "/v1/register/start", { handle: "carol", request }))).toBe("malformed");
  }
  expect((await login(url, "alice", alice.password)).userId).toBe(alice.userId);
});

test("a proof that is cut or stretched proves nothing and ends its attempt", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  for (const spoil of [(proof: string) => proof.slice(0, -4), (proof: string) => `${proof}AAAA`]) {
    const good = await finishBody(url, alice);
    const answer = await post(url, FINISH, { ...good, request: spoil(good.request) });
    expect(codeOf(answer)).toBe("wrong-password");
    expect(codeOf(await post(url, FINISH, good))).toBe("login-attempt-over");
  }
});

test("a first message that was heard on the way begins another attempt, which its listener cannot finish", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password: alice.password });
  const start = () => post(url, "/v1/login/start", { handle: "alice", request: startLoginRequest });
  const [hers, heard] = [await start(), await start()];
  expect(heard.body.attempt).not.toBe(hers.body.attempt);
  const proof = loginProof({ answer: hers, clientLoginState }, alice.password)?.finishLoginRequest;
  const finish = (answer: typeof hers) =>
    post(url, FINISH, { attempt: answer.body.attempt, request: proof, ...device() });
  expect(codeOf(await finish(heard))).toBe("wrong-password");
  expect(codeOf(await finish(hers))).toBe("ok");
});

test("an unknown handle is answered as a known one with a wrong password is", async () => {
  const { url } = await servers.start();
  await register(url, "alice");
  const known = await loginStart(url, "alice", "a guess");
  const unknown = await loginStart(url, "nobody", "a guess");
  const shape = ({ answer }: typeof known) => ({
    status: answer.status,
    fields: Object.entries(answer.body).map(([name, value]) => [name, String(value).length]),
  });
  expect(shape(unknown)).toEqual(shape(known));
  expect(loginProof(unknown, "a guess")).toBeUndefined();
  const made = Buffer.alloc(64, 1).toString("base64url");
  const answers = await Promise.all(
    [known, unknown].map(({ answer }) =>
      post(url, FINISH, { attempt: answer.body.attempt, request: made, ...device() }),
    ),
  );
  expect(answers.map(codeOf)).toEqual(["wrong-password", "wrong-password"]);
  expect(answers[1]?.body).toEqual(answers[0]?.body);
});

test("an unknown handle takes as long as a known one", async () => {
  const { url } = await servers.start();
  await register(url, "alice");
  const times = { alice: [] as number[], nobody: [] as number[] };
  for (let round = 0; round < 40; round++) {
    for (const name of ["alice", "nobody"] as const) {
      const startedAt = performance.now();
      await loginStart(url, name, "a guess");
      times[name].push(performance.now() - startedAt);
    }
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length / 2] ?? 0;
  const ratio = median(times.nobody) / median(times.alice);
  expect(ratio).toBeGreaterThan(0.6);
  expect(ratio).toBeLessThan(1.67);
});

test("a finish that was heard on the way cannot be used again, nor one attempt for two devices", async () => {
  const { url } = await servers.start();
  const body = await finishBody(url, await register(url, "alice"));
  expect(codeOf(await post(url, FINISH, body))).toBe("ok");
  const replayed = await post(url, FINISH, body);
  expect([replayed.status, codeOf(replayed)]).toEqual([410, "login-attempt-over"]);
  expect(codeOf(await post(url, FINISH, { ...body, ...device() }))).toBe("login-attempt-over");
});

test("a proof fits no other attempt", async () => {
  const { url } = await servers.start();
  const alice = await register(url, "alice");
  const first = await finishBody(url, alice);
  const second = await finishBody(url, alice);
  expect(codeOf(await post(url, FINISH, { ...first, attempt: second.attempt }))).toBe("wrong-password");
});

test("one's own proof opens no other account", async () => {
  const { url } = await servers.start();
  const mallory = await register(url, "mallory");
  const alice = await loginStart(url, "alice", mallory.password);
  const own = await finishBody(url, mallory);
  expect(codeOf(await post(url, FINISH, { ...own, attempt: alice.answer.body.attempt }))).toBe("wrong-password");
});

test("an attempt that took longer than a minute is over", async () => {
  const clock = new TestClock();
  const { url } = await servers.start({ now: clock.now });
  const body = await finishBody(url, await register(url, "alice"));
  clock.advance(60_000);
  expect(codeOf(await post(url, FINISH, body))).toBe("login-attempt-over");
});

test("guessing is limited per address, and the answer says for how long", async () => {
  const clock = new TestClock();
  const { url } = await servers.start({ now: clock.now, rates: { login: { burst: 3, perSecond: 0.5 } } });
  for (let guess = 0; guess < 3; guess++) expect(codeOf((await loginStart(url, "alice", "x")).answer)).toBe("ok");
  const { answer } = await loginStart(url, "alice", "x");
  expect([answer.status, codeOf(answer), answer.headers.get("retry-after")]).toEqual([429, "rate-limited", "2"]);
  clock.advance(2_000);
  expect(codeOf((await loginStart(url, "alice", "x")).answer)).toBe("ok");
});

test("one device more than an account may have signs out the one that was away longest", async () => {
  const clock = new TestClock();
  const server = await servers.start({ now: clock.now });
  const { url, networkId } = server;
  const first = await register(url, "alice");
  const others: TestUser[] = [];
  for (let count = 1; count < LIMITS.maxDevicesPerAccount; count++) {
    clock.advance(60_000);
    others.push(await login(url, "alice", first.password));
  }
  // The first one comes back, so that the second is the one away longest.
  clock.advance(2 * 3_600_000);
  const atFirst = await servers.open(url, first);
  const second = others[0] as TestUser;
  const atSecond = servers.connect(url);
  await atSecond.open(networkId, second);
  clock.advance(60_000);
  const thirdSession = await servers.open(url, others[1] as TestUser);
  clock.advance(2 * 3_600_000);
  atSecond.close();
  await login(url, "alice", first.password);
  expect(atFirst.socket.connected && thirdSession.socket.connected).toBe(true);
  const gone: string[] = [];
  for (const user of [first, ...others]) {
    const session = servers.connect(url);
    await session.open(networkId, user).catch((error: Error) => gone.push(`${user.deviceId} ${error.message}`));
  }
  expect(gone).toEqual([expect.stringContaining((others[2] as TestUser).deviceId)]);
});
