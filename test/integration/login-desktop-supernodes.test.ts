/** Supernodes in members' desktop apps, as the login server takes them. */
import { expect, test } from "vitest";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { trustSupernodeCertificate, trustSupernodeList } from "../../protocol/trust.ts";
import {
  bytesOf,
  codeOf,
  enrol,
  enrolmentBody,
  get,
  login,
  newSupernode,
  post,
  register,
  type TestUser,
} from "../support/login-api-client.ts";
import { loginServers, TestClock } from "../support/login-server-fixture.ts";
import { codeOf as refusalOf } from "../support/refusal-code.ts";

const servers = loginServers();
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

async function network(desktopSupernodes: number) {
  const clock = new TestClock();
  const server = await servers.start({ now: clock.now, desktopSupernodes });
  const anchor = trustAnchor(server.networkKey, clock.now);
  const { url } = server;
  const member = async (name: string) => {
    const user = await register(url, name);
    return { user, session: await servers.open(url, user) };
  };
  return {
    url,
    server,
    clock,
    member,
    idOf: (certificate: Uint8Array) => trustSupernodeCertificate(anchor, certificate).value.supernodeId,
    certificate: (bytes: Uint8Array) => trustSupernodeCertificate(anchor, bytes).value,
    async listed() {
      const list = bytesOf(String((await get(url, "/v1/supernodes")).body.list));
      return trustSupernodeList(anchor, list).value.supernodes.map(({ value }) => value.supernodeId);
    },
  };
}

async function secondDevice(url: string, { handle, password }: TestUser) {
  return servers.open(url, await login(url, handle, password));
}

test("a network that takes none offers no member anything", async () => {
  const { member } = await network(0);
  const { session } = await member("alice");
  expect(await session.call("supernodeOffer", {})).toEqual({ kind: "not-wanted" });
  expect(await refusalOf(session.call("enrolSupernode", {}))).toBe("supernode-not-wanted");
  expect(await refusalOf(session.call("listSupernode", { listed: true }))).toBe("supernode-not-wanted");
});

test("a member's supernode is certified for a day, and listed from when its app says that others reach it", async () => {
  const { url, clock, member, certificate, listed } = await network(5);
  const { session } = await member("alice");
  expect(await session.call("supernodeOffer", {})).toEqual({ kind: "accepted", host: "127.0.0.1" });
  const { token } = await session.call("enrolSupernode", {});
  const own = certificate(await enrol(url, newSupernode(4433), token));
  expect(own).toMatchObject({ host: "127.0.0.1", port: 4433, expiresAt: clock.now() + 24 * HOUR_MS });
  expect(await listed()).toEqual([]);
  await session.call("listSupernode", { listed: true });
  expect(await listed()).toEqual([own.supernodeId]);
  await session.call("listSupernode", { listed: false });
  expect(await listed()).toEqual([]);
});

test("one that falls silent is off the list within hours, and stays on it as long as it is repeated", async () => {
  const { url, clock, member, idOf, listed } = await network(5);
  const { session } = await member("alice");
  const id = idOf(await enrol(url, newSupernode(1), (await session.call("enrolSupernode", {})).token));
  await session.call("listSupernode", { listed: true });
  expect(await listed()).toEqual([id]);
  clock.advance(5 * HOUR_MS);
  await session.call("listSupernode", { listed: true });
  clock.advance(5 * HOUR_MS);
  expect(await listed()).toEqual([id]);
  clock.advance(2 * HOUR_MS);
  expect(await listed()).toEqual([]);
});

test("a ticket is good once, for minutes, and for the address that the server saw", async () => {
  const { url, clock, member } = await network(5);
  const { session } = await member("alice");
  const refusal = async (supernode: ReturnType<typeof newSupernode>, token: string) =>
    codeOf(await post(url, "/v1/supernodes/enrol", await enrolmentBody(url, supernode, token)));
  const first = (await session.call("enrolSupernode", {})).token;
  const supernode = newSupernode(1);
  await enrol(url, supernode, first);
  expect(await refusal(supernode, first)).toBe("enrolment-refused");

  const elsewhere = (await session.call("enrolSupernode", {})).token;
  expect(await refusal(newSupernode(1, "198.51.100.7"), elsewhere)).toBe("enrolment-refused");
  expect(await refusal(supernode, elsewhere)).toBe("enrolment-refused");

  const old = (await session.call("enrolSupernode", {})).token;
  clock.advance(6 * MINUTE_MS);
  expect(await refusal(supernode, old)).toBe("enrolment-refused");
});

test("an account has one place in the directory, whatever keys it enrols with", async () => {
  const { url, member, idOf, listed } = await network(5);
  const { session } = await member("alice");
  const ids = new Set<string>();
  for (let port = 1; port <= 5; port++) {
    ids.add(idOf(await enrol(url, newSupernode(port), (await session.call("enrolSupernode", {})).token)));
  }
  expect(ids.size).toBe(1);
  await session.call("listSupernode", { listed: true });
  expect(await listed()).toEqual([...ids]);
});

test("nobody enrols with the keys of somebody else's supernode", async () => {
  const { url, server, member } = await network(5);
  const alice = await member("alice");
  const bob = await member("bob");
  const operators = newSupernode(1);
  const bobs = newSupernode(2);
  await enrol(url, operators, server.enrolmentToken);
  await enrol(url, bobs, (await bob.session.call("enrolSupernode", {})).token);
  for (const stolen of [operators, bobs]) {
    const { token } = await alice.session.call("enrolSupernode", {});
    const answer = await post(url, "/v1/supernodes/enrol", await enrolmentBody(url, stolen, token));
    expect(codeOf(answer)).toBe("enrolment-refused");
  }
});

test("a second device waits while the first one is listed, and takes over when it is not", async () => {
  const { url, member, idOf } = await network(5);
  const { user, session } = await member("alice");
  const id = idOf(await enrol(url, newSupernode(1), (await session.call("enrolSupernode", {})).token));
  await session.call("listSupernode", { listed: true });
  const second = await secondDevice(url, user);
  expect(await second.call("supernodeOffer", {})).toEqual({ kind: "elsewhere" });
  expect(await refusalOf(second.call("enrolSupernode", {}))).toBe("supernode-not-wanted");
  await session.call("listSupernode", { listed: false });
  const other = await enrol(url, newSupernode(2), (await second.call("enrolSupernode", {})).token);
  expect(idOf(other)).toBe(id);
});

test("the list takes no more of them than the host allows", async () => {
  const { url, member, listed } = await network(1);
  const alice = await member("alice");
  const bob = await member("bob");
  const tokens = [await alice.session.call("enrolSupernode", {}), await bob.session.call("enrolSupernode", {})];
  for (const [index, { token }] of tokens.entries()) await enrol(url, newSupernode(index + 1), token);
  await alice.session.call("listSupernode", { listed: true });
  expect(await refusalOf(bob.session.call("listSupernode", { listed: true }))).toBe("supernode-not-wanted");
  expect(await bob.session.call("supernodeOffer", {})).toEqual({ kind: "not-wanted" });
  expect(await listed()).toHaveLength(1);
});

test("tickets are limited for each account", async () => {
  const { member } = await network(5);
  const { session } = await member("alice");
  const codes: string[] = [];
  for (let count = 0; count < 25; count++) codes.push(await refusalOf(session.call("enrolSupernode", {})));
  expect(codes.filter((code) => code === "no error")).toHaveLength(20);
  expect(codes.at(-1)).toBe("rate-limited");
});
