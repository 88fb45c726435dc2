/** Signing up, in and out: what keeps, what goes, and what a person is told when it does not work. */
import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AccountStore } from "../../main/account/account-store.ts";
import { LoginSession } from "../../main/account/login-session.ts";
import { Background } from "../../main/core/background.ts";
import { DEFAULT_TIMES } from "../../main/core/client-options.ts";
import { NetworkClock, systemClock } from "../../main/core/clock.ts";
import { silentLog } from "../../main/core/log.ts";
import { Routes } from "../../main/core/proxy.ts";
import { openDatabase } from "../../main/storage/database.ts";
import { loadProfileKey } from "../../main/storage/profile-key.ts";
import { type ErrorCode, KithError } from "../../protocol/errors.ts";
import type { DeviceId } from "../../protocol/identifiers.ts";
import { PROTOCOL_VERSION, TIMES } from "../../protocol/limits.ts";
import { LOGIN_HTTP } from "../../protocol/login-api.ts";
import { NetworkTrust } from "../../protocol/network-trust.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";

let network: TestNetwork;
const clients: HeadlessClient[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  network = await TestNetwork.start(2);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const server of servers.splice(0)) server.close();
  await network.close();
});

function keep(client: HeadlessClient): HeadlessClient {
  clients.push(client);
  return client;
}

const fresh = async (loginServer = network.loginServer.url) => keep(await HeadlessClient.open(loginServer));
const signedUp = async (handle: string) => keep(await HeadlessClient.signedUp(network.loginServer.url, handle));
const refusal = (code: ErrorCode, details: Record<string, number>) =>
  new Response(JSON.stringify({ error: new KithError(code, details).toWire() }), { status: 503 });
const refused = (code: string) => expect.objectContaining({ name: "KithError", code });

describe("an account", () => {
  test("is there again after a restart, without a password", async () => {
    const alice = await signedUp("alice");
    const before = alice.me;
    const again = keep(await alice.reopen());
    await again.attached();
    expect(again.me).toMatchObject({ userId: before.userId, deviceId: before.deviceId, handle: "alice" });
  });

  test("has the same keys on another device, which sees what is said from then on", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);

    const phone = await fresh();
    await phone.signIn("alice");
    await phone.attached();
    expect(phone.me.userId).toBe(alice.me.userId);
    expect(phone.me.deviceId).not.toBe(alice.me.deviceId);
    await phone.seesOnline("bob");

    await bob.say("alice", "to both of you");
    await Promise.all([alice.hears("to both of you"), phone.hears("to both of you")]);
    await alice.say("bob", "from the laptop");
    await bob.hears("from the laptop");
    await phone.line((line) => line.kind === "text" && line.mine && line.text === "from the laptop", "copy");
    await phone.say("bob", "from the phone");
    await bob.hears("from the phone");
    await alice.line((line) => line.kind === "text" && line.mine && line.text === "from the phone", "copy");
    expect(await phone.texts("bob")).toEqual(["to both of you", "from the laptop", "from the phone"]);
    expect(await bob.texts("alice")).toEqual(["to both of you", "from the laptop", "from the phone"]);
  });

  test("rings on every device; answering on one stops the other", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    const phone = await fresh();
    await phone.signIn("bob");
    await phone.seesOnline("alice");
    await alice.until(() => alice.buddy("bob"), "bob");

    await alice.methods.dial({ peer: alice.idOf("bob") });
    await Promise.all([bob.inCall("incoming"), phone.inCall("incoming")]);
    await phone.methods.acceptCall({});
    expect((await bob.inCall("ended")).reason).toBe("answered-elsewhere");
    await Promise.all([alice.inCall("active"), phone.inCall("active")]);
    expect(bob.buddy("alice")?.unread).toBe(0);
  });

  test("is gone from the profile after signing out, and the form proposes it", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    await alice.methods.signOut({});
    expect(alice.session).toMatchObject({ phase: "signed-out", handle: "alice", notice: null });
    expect(alice.buddies).toEqual([]);
    await bob.sees("alice", "offline");
    await expect(alice.methods.lines({ peer: bob.me.userId, before: null, limit: 10 })).rejects.toEqual(
      refused("not-authenticated"),
    );
    const again = keep(await alice.reopen());
    expect(again.session).toMatchObject({ phase: "signed-out", handle: "alice", loginServer: network.loginServer.url });
    await again.signIn("alice");
    await again.seesOnline("bob");
    expect(await again.texts("bob")).toEqual([]);
  });

  test("signed out from elsewhere says so, and keeps its messages for the same account to come back to", async () => {
    const alice = await signedUp("alice");
    const bob = await signedUp("bob");
    await alice.befriend(bob);
    await alice.say("bob", "before");
    await bob.hears("before");
    const phone = await fresh();
    await phone.signIn("alice");
    const { deviceId } = alice.me;
    await phone.close({ keepFolder: true });
    await signOutDevice(phone.folder, deviceId);

    await alice.until(
      () => alice.session.phase === "signed-out" && alice.session.notice?.code === "signed-out-elsewhere",
      "signed out",
    );
    await alice.signIn("alice");
    await alice.seesOnline("bob");
    expect(await alice.texts("bob")).toEqual(["before"]);
  });
});

describe("a sign-in is refused in words", () => {
  test("for a wrong password, an unknown handle, a taken or malformed one, a short password", async () => {
    const alice = await signedUp("alice");
    const other = await fresh();
    await expect(other.signIn("alice", "not the password")).rejects.toEqual(refused("wrong-password"));
    await expect(other.signIn("nobody-here")).rejects.toEqual(refused("wrong-password"));
    await expect(other.signUp("alice")).rejects.toEqual(refused("handle-taken"));
    await expect(other.signUp("1st")).rejects.toEqual(refused("handle-malformed"));
    await expect(other.signUp("bob", "short")).rejects.toEqual(refused("password-weak"));
    await expect(alice.signUp("bob")).rejects.toEqual(refused("already-signed-in"));
    // None of it stands in the way of a good one.
    await other.signUp("bob");
    await other.attached();
  });

  test("when the address is none, or would need https", async () => {
    for (const [address, code] of [
      ["not an address", "login-server-address"],
      ["ftp://127.0.0.1", "login-server-address"],
      ["http://user:secret@127.0.0.1", "login-server-address"],
      ["http://kith.example.org", "login-server-insecure"],
    ] as const) {
      const client = await fresh(address);
      await expect(client.signUp("alice")).rejects.toEqual(refused(code));
    }
  });

  test("when nobody answers, or somebody who is no login server", async () => {
    const closed = await listening(() => undefined);
    closed.server.close();
    await expect((await fresh(closed.url)).signUp("alice")).rejects.toEqual(refused("login-server-unreachable"));

    const nonsense = [
      "<html>Hello</html>",
      '{"kith":"something else"}',
      "[]",
      '{"kith":"login-server","protocolVersion":1}',
    ];
    for (const body of nonsense) {
      const { url } = await listening((respond) => respond(200, body));
      await expect((await fresh(url)).signUp("alice")).rejects.toEqual(refused("login-server-nonsense"));
    }
    const elsewhere = await listening((respond) => respond(302, "", { location: network.loginServer.url }));
    await expect((await fresh(elsewhere.url)).signUp("alice")).rejects.toEqual(refused("login-server-nonsense"));
    const gateway = await listening((respond) => respond(502, "Bad Gateway"));
    await expect((await fresh(gateway.url)).signUp("alice")).rejects.toEqual(refused("login-server-unreachable"));
  });

  test("when very many sign in at once: the app says that it waits, and gets in by itself", async () => {
    let refusals = 2;
    const crowded: typeof fetch = (input, init) =>
      String(input).endsWith(LOGIN_HTTP.registerStart.path) && refusals-- > 0
        ? Promise.resolve(refusal("login-server-crowded", { seconds: 0 }))
        : fetch(input, init);
    const alice = keep(await HeadlessClient.open(network.loginServer.url, { fetch: crowded }));
    await alice.signUp("alice");
    await alice.attached();
    const waits = alice.pushes.flatMap(({ name, value }) =>
      name === "session" && value.phase === "signed-out" ? [value.nextTryInMs !== null] : [],
    );
    expect(waits).toEqual([true, false, true, false]);
  });

  test("until the user stops it: then the form is as it was, and nobody asks again", async () => {
    let asked = 0;
    const crowded: typeof fetch = (input, init) => {
      if (!String(input).endsWith(LOGIN_HTTP.loginStart.path)) return fetch(input, init);
      asked++;
      return Promise.resolve(refusal("login-server-crowded", { seconds: 60 }));
    };
    const alice = keep(await HeadlessClient.open(network.loginServer.url, { fetch: crowded }));
    const before = alice.session;
    const signingIn = expect(alice.signIn("alice")).rejects.toEqual(refused("sign-in-cancelled"));
    await alice.until(() => alice.session.phase === "signed-out" && alice.session.nextTryInMs !== null, "waiting");
    await alice.methods.cancelSignIn({});
    await signingIn;
    expect(alice.session).toEqual(before);
    expect(asked).toBe(1);
  });

  test("when the server is of another version, or one of the clocks is wrong", async () => {
    const answer = JSON.parse(await (await fetch(`${network.loginServer.url}/v1/network`)).text());
    const changed = async (change: object) => {
      const { url } = await listening((respond) => respond(200, JSON.stringify({ ...answer, ...change })));
      return fresh(url);
    };
    await expect(
      (await changed({ protocolVersion: PROTOCOL_VERSION + 1, whatever: true })).signUp("alice"),
    ).rejects.toEqual(refused("protocol-version"));
    const later = Date.now() + TIMES.maxClockSkewMs + 60_000;
    await expect((await changed({ now: later })).signUp("alice")).rejects.toEqual(refused("clock-skew"));
    const otherKey = Buffer.alloc(32, 1).toString("base64");
    await expect((await changed({ networkKey: otherKey })).signUp("alice")).rejects.toEqual(
      refused("login-server-nonsense"),
    );
  });

  test("when another network has taken over the address: nothing is sent to it", async () => {
    const asked: string[] = [];
    const recordingFetch: typeof fetch = (input, init) => {
      asked.push(new URL(String(input)).pathname);
      return fetch(input, init);
    };
    const { url, port } = network.loginServer;
    const alice = keep(await HeadlessClient.signedUp(url, "alice", { fetch: recordingFetch }));
    await network.loginServer.close();
    const other = await TestNetwork.start(0);
    const stolen = await (await fetch(`${other.loginServer.url}/v1/network`)).text();
    asked.length = 0;
    const { server } = await listening((respond) => respond(200, stolen), port);
    let upgrades = 0;
    server.on("upgrade", (_request, socket) => {
      upgrades++;
      socket.destroy();
    });
    await alice.until(() => alice.me.notices.some(({ code }) => code === "network-changed"), "network changed");
    expect(new Set(asked)).toEqual(new Set(["/v1/network"]));
    expect(upgrades).toBe(0);
    expect(alice.me.attached).toBe(true);

    await alice.close({ keepFolder: true });
    const form = keep(await HeadlessClient.open(url, { dataFolder: alice.folder, fetch: recordingFetch }));
    expect(form.me.handle).toBe("alice");
    await other.close();
  });
});

/** The list of one's devices is not in the window yet: this device speaks to the login server itself. */
async function signOutDevice(profile: string, deviceId: DeviceId): Promise<void> {
  const random = (length: number) => new Uint8Array(randomBytes(length));
  const db = openDatabase(profile, loadProfileKey(profile, null, random));
  const account = await new AccountStore(db).load();
  await db.destroy();
  if (!account) throw new Error("nobody is signed in there");
  const { certificate, ...identity } = account;
  const background = new Background(silentLog);
  const clock = new NetworkClock(systemClock());
  const surroundings = {
    clock,
    keyStretching: "memory-constrained" as const,
    random,
    fetch,
    routes: new Routes(),
    times: DEFAULT_TIMES,
    log: silentLog,
    background,
  };
  const { anchor } = new NetworkTrust(account.network.keys, () => clock.now());
  await new Promise<void>((resolve) => {
    const ignored = {
      changed: () => {},
      renewed: async () => {},
      buddies: () => {},
      supernodes: () => {},
      signedOut: () => {},
    };
    const session: LoginSession = new LoginSession(
      { ...identity, anchor, certificate: () => certificate },
      surroundings,
      {
        ...ignored,
        opened: async () => {
          await session.request("signOutDevice", { deviceId });
          session.stop();
          resolve();
        },
      },
    );
    session.start();
  });
}

type Respond = (status: number, body: string, headers?: Record<string, string>) => void;

/** Something on loopback that is no login server. */
async function listening(answer: (respond: Respond) => void, port = 0): Promise<{ url: string; server: Server }> {
  const server = createServer((_request, response) => {
    answer((status, body, headers = {}) => {
      response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
      response.end(body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
