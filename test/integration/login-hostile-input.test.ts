import { Agent, request as httpRequest } from "node:http";
import * as opaque from "@serenity-kit/opaque";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { ERRORS } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { HttpError, LOGIN_HTTP, LOGIN_METHODS } from "../../protocol/login-api.ts";
import {
  enrolmentBody,
  get,
  loginProof,
  loginStart,
  networkIdAt,
  newSupernode,
  newUser,
  post,
  register,
  registrationBody,
  SessionClient,
  type TestUser,
} from "../support/login-api-client.ts";
import { makeFolder, removeFolder } from "../support/login-server-fixture.ts";
import { newDatabase } from "../support/postgres-server.ts";

const base = inject("database");
beforeEach((context) => {
  if (base?.kind === "missing") context.skip(base.why);
});

let folder: string;
let server: LoginServer;
let alice: TestUser;

beforeAll(async () => {
  folder = makeFolder();
  const endless = { burst: 1_000_000, perSecond: 1_000_000 };
  const rates = { registration: endless, login: endless, enrolment: endless, session: endless, request: endless };
  const database = base?.kind === "postgres" ? { database: await newDatabase(base.url) } : {};
  const options = { dataFolder: folder, rates, enrolmentToken: "the token", registration: "open" } as const;
  server = await startLoginServer({ ...options, ...database });
  alice = await register(server.url, "alice");
});

afterAll(async () => {
  await server.close();
  removeFolder(folder);
});

/** What every refusal must be: an error of the registry, in its form, with a status that says whose fault it is. */
function requireRefusal(answer: { status: number; body: unknown }): void {
  const { error } = HttpError.parse(answer.body);
  expect(Object.keys(ERRORS)).toContain(error.code);
  expect(error.code).not.toBe("internal");
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
}

const nasty = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "__proto__",
    "\0",
    "NaN",
    "9".repeat(400),
  ),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 3 }),
  fc.base64String({ maxLength: 400 }),
  fc.string({ unit: fc.constantFrom(..."ABCXYZabcxyz019-_"), minLength: 1, maxLength: 300 }),
);

/** A good body with some fields spoiled, missing or added: most of it gets past the first check. */
function spoiled(body: Record<string, unknown>): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.keys(body);
  const strangers = fc.dictionary(fc.constantFrom("admin", "constructor", "toString"), nasty, { maxKeys: 1 });
  if (fields.length === 0) return strangers;
  return fc
    .record({
      changed: fc.dictionary(fc.constantFrom(...fields), nasty, { minKeys: 1, maxKeys: 2 }),
      missing: fc.subarray(fields, { maxLength: 1 }),
      added: strangers,
    })
    .map(({ changed, missing, added }) => {
      const result: Record<string, unknown> = { ...body, ...changed, ...added };
      for (const field of missing) delete result[field];
      return result;
    });
}

async function goodBodies(): Promise<Record<string, Record<string, unknown>>> {
  const { url } = server;
  const { body: registration } = await registrationBody(url, newUser("bob"));
  const start = await loginStart(url, "alice", alice.password);
  const { deviceId } = alice;
  const request = loginProof(start, alice.password)?.finishLoginRequest ?? "";
  const { startLoginRequest } = opaque.client.startLogin({ password: "x" });
  const { registrationRequest } = opaque.client.startRegistration({ password: "x" });
  const { record } = registration;
  return {
    [LOGIN_HTTP.registerStart.path]: { handle: "bob", request: registrationRequest },
    [LOGIN_HTTP.registerFinish.path]: registration,
    [LOGIN_HTTP.loginStart.path]: { handle: "alice", request: startLoginRequest },
    [LOGIN_HTTP.loginFinish.path]: { attempt: start.answer.body.attempt, request, deviceId, deviceName: "x" },
    [LOGIN_HTTP.passwordProve.path]: { attempt: "00", request, registration: registrationRequest },
    [LOGIN_HTTP.passwordFinish.path]: { change: "00", record, vault: registration.vault },
    [LOGIN_HTTP.recoveryStart.path]: { handle: "alice" },
    [LOGIN_HTTP.recoveryProve.path]: {
      attempt: "00",
      proof: registration.proof,
      registration: registrationRequest,
    },
    [LOGIN_HTTP.accountDelete.path]: { attempt: "00", request },
    [LOGIN_HTTP.report.path]: { supernodeId: "00".repeat(20), at: Date.now(), room: 1, proof: registration.proof },
    [LOGIN_HTTP.enrol.path]: await enrolmentBody(url, newSupernode(1), "the token"),
  };
}

test("whatever is posted, the answer is a typed refusal or success, and the server stays up", async () => {
  const bodies = await goodBodies();
  const posts = Object.values(LOGIN_HTTP).filter(({ verb }) => verb === "POST");
  expect(Object.keys(bodies).sort()).toEqual(posts.map(({ path }) => path).sort());
  for (const { path } of posts) {
    const good = bodies[path] ?? {};
    const anything = fc.oneof({ weight: 3, arbitrary: spoiled(good) }, { weight: 1, arbitrary: nasty });
    await fc.assert(
      fc.asyncProperty(anything, async (body) => {
        const answer = await post(server.url, path, JSON.stringify(body) ?? "undefined");
        if (answer.status !== 200) requireRefusal(answer);
      }),
      { numRuns: 60 },
    );
  }
  expect((await get(server.url, "/v1/network")).status).toBe(200);
});

test("a body that is not JSON, not UTF-8 or of another type is malformed", async () => {
  const { url } = server;
  const path = LOGIN_HTTP.loginStart.path;
  const send = async (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>) => {
    const answer = await fetch(url + path, { method: "POST", body, headers });
    return { status: answer.status, body: (await answer.json()) as unknown };
  };
  const json = { "content-type": "application/json" };
  const good = JSON.stringify({ handle: "alice", request: "AAAA" });
  const answers = await Promise.all([
    send("", json),
    send("{", json),
    send("[1,2", json),
    send(new Uint8Array([0x22, 0xff, 0xfe, 0x22]), json),
    send(good, { "content-type": "text/plain" }),
    send(good, { "content-type": "application/x-www-form-urlencoded" }),
    send(good, { ...json, "content-encoding": "gzip" }),
    send(`${"[".repeat(30_000)}`, json),
  ]);
  for (const answer of answers) {
    requireRefusal(answer);
    expect(answer.body).toMatchObject({ error: { code: "malformed" } });
  }
});

test("a body beyond the limit is refused before it has all arrived", async () => {
  const answer = await new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const sending = httpRequest(`${server.url}${LOGIN_HTTP.loginStart.path}`, {
      method: "POST",
      agent: new Agent({ keepAlive: false }),
      headers: { "content-type": "application/json", "content-length": 500_000_000 },
    });
    sending.on("error", reject);
    sending.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
      });
    });
    sending.write("{");
  });
  expect(answer).toMatchObject({ status: 413, body: { error: { code: "too-large" } } });
});

test("a body that grows beyond the limit without saying so is refused too", async () => {
  const chunk = new TextEncoder().encode(" ".repeat(16 * 1024));
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += chunk.length;
      if (sent > 64 * 1024 * 1024) controller.close();
      else controller.enqueue(chunk);
    },
  });
  const headers = { "content-type": "application/json" };
  const sending: RequestInit = { method: "POST", body, headers, duplex: "half" };
  const outcome = await fetch(`${server.url}${LOGIN_HTTP.loginStart.path}`, sending).then(
    ({ status }) => status,
    () => "closed",
  );
  expect([413, "closed"]).toContain(outcome);
  expect(sent).toBeLessThan(16 * 1024 * 1024);
});

test("paths and verbs that do not exist are refused in the same form", async () => {
  for (const path of ["/", "/v1", "/v1/network/", "/v1/../v1/x", "/favicon.ico", `/${"x".repeat(4_000)}`]) {
    const answer = await get(server.url, path);
    expect(answer.status).toBe(404);
    expect(answer.body).toMatchObject({ error: { code: "unknown-method" } });
  }
  const answer = await get(server.url, LOGIN_HTTP.enrol.path);
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  expect((await post(server.url, LOGIN_HTTP.network.path, {})).status).toBe(405);
});

test("whoever only asks whether something is there is told, without a body", async () => {
  const statuses = ["/v1/network", "/health", "/ready", `/i/${"x".repeat(32)}`, "/nothing"].map(async (path) => {
    const answer = await fetch(`${server.url}${path}`, { method: "HEAD" });
    expect(await answer.text()).toBe("");
    return answer.status;
  });
  expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200, 404]);
});

test("answers are never stored on the way nor taken for anything but JSON", async () => {
  for (const answer of [await get(server.url, "/v1/network"), await get(server.url, "/nothing")]) {
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  }
});

test("whatever is called in a session, the answer is a typed refusal or success", async () => {
  const session = new SessionClient(server.url);
  await session.open(await networkIdAt(server.url), alice);
  const good: Record<string, Record<string, unknown>> = {
    open: { certificate: new Uint8Array(64), proof: new Uint8Array(64) },
    syncBuddies: { since: 0 },
    requestBuddy: { handle: "bob", greeting: "hello" },
    acceptBuddy: { userId: alice.userId },
    declineBuddy: { userId: alice.userId },
    renew: {},
    removeBuddy: { userId: alice.userId },
    blockBuddy: { userId: alice.userId },
    unblockBuddy: { userId: alice.userId },
    labelBuddy: { userId: alice.userId, label: new Uint8Array(64) },
    signOutDevice: { deviceId: "00".repeat(16) },
    account: {},
    setRecoveryKey: { recoveryKey: new Uint8Array(32), vault: new Uint8Array(136), proof: new Uint8Array(64) },
    invite: { uses: 1, days: 7 },
    applicants: {},
    decideApplicant: { handle: "bob", admit: true },
    keyLog: { handle: "bob", since: 0 },
    keyLogHeads: { epochs: [1] },
    supernodeOffer: {},
    enrolSupernode: {},
    listSupernode: { listed: true },
  };
  expect(Object.keys(good).sort()).toEqual(Object.keys(LOGIN_METHODS).sort());
  for (const [name, input] of Object.entries(good)) {
    const anything = fc.oneof({ weight: 3, arbitrary: spoiled(input) }, { weight: 1, arbitrary: nasty });
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const answer: unknown = await session.socket.timeout(5_000).emitWithAck(name, value);
        const { ok, error } = answer as { ok: boolean; error?: { code: string } };
        if (!ok) expect(Object.keys(ERRORS)).toContain(error?.code);
        expect(error?.code).not.toBe("internal");
      }),
      { numRuns: 50 },
    );
  }
  expect(await session.call("syncBuddies", { since: 0 })).toMatchObject({ more: false });
  session.close();
});

test("a session survives calls without an acknowledgement, and events that nobody knows", async () => {
  const session = new SessionClient(server.url);
  await session.open(await networkIdAt(server.url), alice);
  session.socket.emit("syncBuddies", { since: 0 });
  session.socket.emit("syncBuddies");
  session.socket.emit("__proto__", {});
  session.socket.emit("toString", {}, {}, {});
  expect(await session.call("syncBuddies", { since: 0 })).toMatchObject({ more: false });
  session.close();
});

test("frames that are not packets close their socket and nobody else's", async () => {
  const bystander = new SessionClient(server.url);
  await bystander.open(await networkIdAt(server.url), alice);
  const frames: (string | Buffer)[] = ["", "{}", "[]", "2", '{"t":2,"n":"/","d":["disconnect"]}', "x".repeat(1_000)];
  frames.push(Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(64, 255), Buffer.alloc(LIMITS.maxFrameBytes, 123));
  for (const frame of frames) {
    const hostile = new SessionClient(server.url);
    await hostile.pushed("challenge");
    hostile.socket.io.engine.write(frame);
    await hostile.closed();
  }
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 200 })), async (noise) => {
      const hostile = new SessionClient(server.url);
      await hostile.pushed("challenge");
      hostile.socket.io.engine.write(typeof noise === "string" ? noise : Buffer.from(noise));
      await hostile.closed();
    }),
    { numRuns: 20 },
  );
  expect(await bystander.call("syncBuddies", { since: 0 })).toMatchObject({ more: false });
  bystander.close();
});
