import { expect, test } from "vitest";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { trustSupernodeCertificate, trustSupernodeList } from "../../protocol/trust.ts";
import {
  bytesOf,
  codeOf,
  enrol,
  enrolmentBody,
  get,
  newSupernode,
  post,
  register,
} from "../support/login-api-client.ts";
import { DAY_MS, loginServers, TestClock } from "../support/login-server-fixture.ts";

const servers = loginServers();
const PATH = "/v1/supernodes/enrol";
const TOKEN = "a token drawn at random";

async function network(options: { dataFolder?: string; clock?: TestClock } = {}) {
  const clock = options.clock ?? new TestClock();
  const dataFolder = options.dataFolder ?? servers.folder();
  const server = await servers.start({ dataFolder, enrolmentToken: TOKEN, now: clock.now });
  const anchor = trustAnchor(server.networkKey, clock.now);
  const list = async () =>
    trustSupernodeList(anchor, bytesOf(String((await get(server.url, "/v1/supernodes")).body.list))).value;
  return { server, url: server.url, clock, anchor, list, dataFolder };
}

test("the list is signed and empty before anybody has enrolled", async () => {
  const { list, clock } = await network();
  expect(await list()).toMatchObject({ revision: 1, supernodes: [], expiresAt: clock.now() + 30 * DAY_MS });
});

test("a supernode that shows the token is certified and listed", async () => {
  const { url, anchor, clock, list } = await network();
  const supernode = newSupernode(4433, "relay.example.org");
  const bytes = await enrol(url, supernode, TOKEN);
  const { value } = trustSupernodeCertificate(anchor, bytes);
  expect(value).toMatchObject({
    host: "relay.example.org",
    port: 4433,
    tlsFingerprint: supernode.tlsFingerprint,
    signKey: supernode.sign.publicKey,
    expiresAt: clock.now() + 30 * DAY_MS,
  });
  expect((await list()).supernodes.map((entry) => entry.bytes)).toEqual([bytes]);
});

test("IDs are the server's own, and no two are alike", async () => {
  const { url, list } = await network();
  for (let port = 1; port <= 20; port++) await enrol(url, newSupernode(port), TOKEN);
  const { supernodes } = await list();
  expect(new Set(supernodes.map(({ value }) => value.supernodeId)).size).toBe(20);
  const ports = supernodes.map(({ value }) => value.port);
  expect(ports).not.toEqual([...ports].sort((a, b) => a - b));
});

test("without the token nobody enrols", async () => {
  const { url, list } = await network();
  for (const token of ["x", `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()]) {
    const answer = await post(url, PATH, await enrolmentBody(url, newSupernode(1), token));
    expect([answer.status, codeOf(answer)]).toEqual([403, "enrolment-refused"]);
  }
  expect((await list()).supernodes).toEqual([]);
});

test("without an option the token is drawn once and kept with the keys", async () => {
  const dataFolder = servers.folder();
  const first = await servers.start({ dataFolder });
  await first.close();
  const second = await servers.start({ dataFolder });
  expect(second.enrolmentToken).toBe(first.enrolmentToken);
  await enrol(second.url, newSupernode(1), first.enrolmentToken);
  expect((await servers.start()).enrolmentToken).not.toBe(first.enrolmentToken);
});

test.each<[string, string, object]>([
  ["another address than was signed", "signature-invalid", { host: "127.0.0.2" }],
  ["another port than was signed", "signature-invalid", { port: 2 }],
  [
    "another TLS certificate than was signed",
    "signature-invalid",
    { tlsFingerprint: Buffer.alloc(32).toString("base64") },
  ],
  ["somebody else's key", "signature-invalid", { signKey: Buffer.alloc(32, 3).toString("base64") }],
  ["a short key", "malformed", { signKey: Buffer.alloc(31).toString("base64") }],
  ["a host that breaks out of a URL", "malformed", { host: "example.org/path?x@y" }],
  ["port 0", "malformed", { port: 0 }],
  ["a port beyond 65535", "malformed", { port: 65_536 }],
  ["an ID of its own choice", "malformed", { supernodeId: "00".repeat(20) }],
])("enrolling with %s is refused", async (_, code, change) => {
  const { url, list } = await network();
  const body = await enrolmentBody(url, newSupernode(1), TOKEN);
  expect(codeOf(await post(url, PATH, { ...body, ...change }))).toBe(code);
  expect((await list()).supernodes).toEqual([]);
});

test("enrolling again changes nothing while the certificate is young", async () => {
  const { url, list } = await network();
  const supernode = newSupernode(1);
  const first = await enrol(url, supernode, TOKEN);
  const { revision } = await list();
  expect(await enrol(url, supernode, TOKEN)).toEqual(first);
  expect((await list()).revision).toBe(revision);
});

test("enrolling again past half-life renews under the same ID", async () => {
  const { url, anchor, list, clock } = await network();
  const supernode = newSupernode(1);
  const first = trustSupernodeCertificate(anchor, await enrol(url, supernode, TOKEN)).value;
  clock.advance(15 * DAY_MS);
  const second = trustSupernodeCertificate(anchor, await enrol(url, supernode, TOKEN)).value;
  expect(second.supernodeId).toBe(first.supernodeId);
  expect(second.serial).toBeGreaterThan(first.serial);
  expect(second.expiresAt).toBe(clock.now() + 30 * DAY_MS);
  expect((await list()).supernodes.map(({ value }) => value.serial)).toEqual([second.serial]);
});

test("a new address or TLS certificate is certified under the same ID and raises the revision", async () => {
  const { url, anchor, list } = await network();
  const supernode = newSupernode(1);
  const first = trustSupernodeCertificate(anchor, await enrol(url, supernode, TOKEN)).value;
  const { revision } = await list();
  await enrol(url, { ...supernode, host: "::1", port: 2 }, TOKEN);
  const moved = await list();
  expect(moved.revision).toBeGreaterThan(revision);
  expect(moved.supernodes.map(({ value }) => [value.supernodeId, value.host, value.port])).toEqual([
    [first.supernodeId, "::1", 2],
  ]);
  const tlsFingerprint = new Uint8Array(32).fill(9);
  await enrol(url, { ...supernode, host: "::1", port: 2, tlsFingerprint }, TOKEN);
  expect((await list()).supernodes.map(({ value }) => value.tlsFingerprint)).toEqual([tlsFingerprint]);
});

test("a supernode whose certificate has expired leaves the list, and comes back under its ID", async () => {
  const { url, list, clock } = await network();
  const [stays, leaves] = [newSupernode(1), newSupernode(2)];
  await enrol(url, leaves, TOKEN);
  const id = (await list()).supernodes[0]?.value.supernodeId;
  clock.advance(20 * DAY_MS);
  await enrol(url, stays, TOKEN);
  expect((await list()).supernodes).toHaveLength(2);
  clock.advance(10 * DAY_MS);
  const after = await list();
  expect(after.supernodes.map(({ value }) => value.port)).toEqual([1]);
  await enrol(url, leaves, TOKEN);
  const back = await list();
  expect(back.revision).toBeGreaterThan(after.revision);
  expect(back.supernodes.find(({ value }) => value.port === 2)?.value.supernodeId).toBe(id);
});

test("a list never grows old: it is signed again each day", async () => {
  const { list, clock } = await network();
  const first = await list();
  clock.advance(DAY_MS - 1);
  expect((await list()).revision).toBe(first.revision);
  clock.advance(1);
  expect(await list()).toMatchObject({ revision: first.revision + 1, issuedAt: clock.now() });
});

test("sessions hear of the newest list, less than once for each of those that come together", async () => {
  const { url, list } = await network();
  const session = await servers.open(url, await register(url, "alice"));
  await Promise.all([1, 2, 3].map((port) => enrol(url, newSupernode(port), TOKEN)));
  const { revision, supernodes } = await list();
  expect(supernodes).toHaveLength(3);
  await session.pushed("supernodes", (push) => push.revision === revision);
  expect(session.pushes("supernodes").length).toBeLessThan(3);
});

test("a supernode that enrolled just before the server ended is in the list after the restart", async () => {
  const { server, url, clock, dataFolder, list } = await network();
  expect((await list()).supernodes).toEqual([]);
  await enrol(url, newSupernode(1), TOKEN);
  // No list has been made since: the announcement takes a moment longer.
  await server.close();
  const again = await network({ dataFolder, clock });
  const { revision, supernodes } = await again.list();
  expect([revision, supernodes.length]).toEqual([2, 1]);
});

test("enrolling is limited per address", async () => {
  const { url } = await servers.start({ rates: { enrolment: { burst: 1, perSecond: 0.1 } } });
  const body = await enrolmentBody(url, newSupernode(1), "a guess");
  expect(codeOf(await post(url, PATH, body))).toBe("enrolment-refused");
  expect(codeOf(await post(url, PATH, body))).toBe("rate-limited");
});
