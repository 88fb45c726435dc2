import { expect, test } from "vitest";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";
import { reportStatement } from "../../protocol/login-proof.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { trustSupernodeList } from "../../protocol/trust.ts";
import { bytesOf, codeOf, enrol, get, newSupernode, post, type TestSupernode } from "../support/login-api-client.ts";
import { loginServers, TestClock } from "../support/login-server-fixture.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const servers = loginServers();
const TOKEN = "a token drawn at random";
const HOUR_MS = 3_600_000;
const TEN_MINUTES_MS = 600_000;

interface Member extends TestSupernode {
  readonly supernodeId: SupernodeId;
}

async function network(options: { dataFolder?: string; clock?: TestClock } = {}) {
  const clock = options.clock ?? new TestClock();
  const dataFolder = options.dataFolder ?? servers.folder();
  const server = await servers.start({ dataFolder, enrolmentToken: TOKEN, now: clock.now });
  const { url, networkId } = server;
  const anchor = trustAnchor(server.networkKey, clock.now);
  const join = async (port: number): Promise<Member> => {
    const supernode = newSupernode(port);
    const { value } = decodeSupernodeCertificate(await enrol(url, supernode, TOKEN));
    return { ...supernode, supernodeId: value.supernodeId };
  };
  const report = async ({ supernodeId, sign }: Member, room = 100, at = clock.now()) => {
    const proof = nodeSignatures.sign(reportStatement({ networkId, supernodeId, at, room }), sign.secretKey);
    return post(url, "/v1/supernodes/report", { supernodeId, at, room, proof: Buffer.from(proof).toString("base64") });
  };
  const listed = async () => {
    const { list } = (await get(url, "/v1/supernodes")).body;
    return trustSupernodeList(anchor, bytesOf(String(list))).value.supernodes.map(({ value }) => value.port);
  };
  return { server, clock, dataFolder, join, report, listed };
}

test("whoever falls silent for an hour leaves the list, and is back with the next report", async () => {
  const { clock, join, report, listed } = await network();
  const [one, other] = [await join(1), await join(2)];
  await report(one);
  await report(other);
  for (let minutes = 0; minutes < 70; minutes += 10) {
    clock.advance(TEN_MINUTES_MS);
    expect(codeOf(await report(one))).toBe("ok");
  }
  expect(await listed()).toEqual([1]);
  await report(other);
  await until(async () => (await listed()).length === 2);
});

test("one that cannot report, because it is older, stays as long as its certificate", async () => {
  const { clock, join, listed } = await network();
  await join(1);
  clock.advance(3 * HOUR_MS);
  expect(await listed()).toEqual([1]);
});

test("nobody leaves the list because the login server was down", async () => {
  const clock = new TestClock();
  const before = await network({ clock });
  const supernode = await before.join(1);
  await before.report(supernode);
  await before.server.close();
  clock.advance(24 * HOUR_MS);
  const after = await network({ clock, dataFolder: before.dataFolder });
  expect(await after.listed()).toEqual([1]);
  clock.advance(HOUR_MS);
  expect(await after.listed()).toEqual([]);
});

test("those with room come first, and of them those that were there the longest", async () => {
  const { clock, join, report, listed } = await network();
  const [full, young, old] = [await join(1), await join(2), await join(3)];
  await report(full, 0);
  await report(old);
  clock.advance(TEN_MINUTES_MS);
  await report(young);
  await join(4);
  expect((await listed()).slice(0, 2)).toEqual([3, 2]);
  expect((await listed()).at(-1)).toBe(1);
});

test("a report is refused of whom the network does not know, from anybody else, and of another time", async () => {
  const { clock, join, report } = await network();
  const [one, other] = [await join(1), await join(2)];
  const stranger: Member = { ...newSupernode(3), supernodeId: SupernodeId.parse("ab".repeat(20)) };
  expect(codeOf(await report(stranger))).toBe("enrolment-refused");
  expect(codeOf(await report({ ...one, sign: other.sign }))).toBe("signature-invalid");
  expect(codeOf(await report(one, 100, clock.now() - HOUR_MS))).toBe("clock-skew");
});

test("a supernode reports by itself", async () => {
  const running = await TestNetwork.start(1, { times: { listReportMs: 100 } });
  try {
    const token = running.loginServer.enrolmentToken;
    const silent = newSupernode(9);
    await enrol(running.loginServer.url, silent, token);
    // Both are as old: only the one that was heard has been there for a while.
    await until(async () => {
      const { list } = (await get(running.loginServer.url, "/v1/supernodes")).body;
      const anchor = trustAnchor(running.loginServer.networkKey, Date.now);
      const [first] = trustSupernodeList(anchor, bytesOf(String(list))).value.supernodes;
      return first?.value.port === running.at(0).port;
    });
  } finally {
    await running.close();
  }
});
