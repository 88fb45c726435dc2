import { expect, test } from "vitest";
import { administrate } from "../../login-server/administration/admin-cli.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import { decodeRevocationList } from "../../protocol/revocations.ts";
import { decodeSupernodeList } from "../../protocol/supernode-list.ts";
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
type TestSupernode = ReturnType<typeof newSupernode>;

async function network() {
  const clock = new TestClock();
  const dataFolder = servers.folder();
  const options = { dataFolder, now: clock.now, desktopSupernodes: 5 };
  let server = await servers.start(options);
  const token = server.enrolmentToken;
  const restart = async () => {
    await server.close();
    server = await servers.start(options);
  };
  const admin = async (...args: string[]) => {
    let written = "";
    await administrate(["--data", dataFolder, "--json", ...args], {}, (text) => {
      written += text;
    });
    return JSON.parse(written) as { enrolmentToken: string | null };
  };
  const certified = async (supernode: TestSupernode, as = token): Promise<SupernodeCertificate> =>
    decodeSupernodeCertificate(await enrol(server.url, supernode, as)).value;
  const refusal = async (supernode: TestSupernode, as: string) =>
    codeOf(await post(server.url, "/v1/supernodes/enrol", await enrolmentBody(server.url, supernode, as)));
  const revoked = async () =>
    decodeRevocationList(bytesOf(String((await get(server.url, "/v1/notices")).body.revocations))).value.serials;
  const listed = async () =>
    decodeSupernodeList(bytesOf(String((await get(server.url, "/v1/supernodes")).body.list))).value.supernodes.map(
      ({ value }) => value.supernodeId,
    );
  const member = async (name: string) => servers.open(server.url, await register(server.url, name));
  return { clock, restart, member, token, admin, certified, refusal, revoked, listed };
}

test("a supernode that is removed has every certificate revoked that has not run out, and nobody else has", async () => {
  const { clock, admin, certified, revoked, listed } = await network();
  const [removed, kept] = [newSupernode(1), newSupernode(2)];
  const first = await certified(removed);
  clock.advance(16 * DAY_MS);
  const second = await certified(removed);
  const other = await certified(kept);
  clock.advance(16 * DAY_MS);
  const third = await certified(removed);
  expect(new Set([first.supernodeId, second.supernodeId, third.supernodeId]).size).toBe(1);
  await admin("remove-supernode", third.supernodeId);
  expect(await revoked()).toEqual([second.serial, third.serial]);
  expect(await listed()).toEqual([other.supernodeId]);
});

test("neither the key of a removed supernode nor its token enrols one again, over a restart too", async () => {
  const { restart, token, admin, certified, refusal } = await network();
  const [removed, newcomer] = [newSupernode(1), newSupernode(2)];
  const { enrolmentToken } = await admin("remove-supernode", (await certified(removed)).supernodeId);
  const fresh = String(enrolmentToken);
  const tries = async () => [
    await refusal(removed, token),
    await refusal(removed, fresh),
    await refusal(newcomer, token),
    await refusal(newcomer, "a token that never was one"),
  ];
  const refusals = ["supernode-removed", "supernode-removed", "enrolment-refused", "enrolment-refused"];
  expect(await tries()).toEqual(refusals);
  await restart();
  expect(await tries()).toEqual(refusals);
  await certified(newcomer, fresh);
});

test("those that are left renew and move with the token that they have, though it enrols nobody new", async () => {
  const { clock, token, admin, certified, refusal } = await network();
  const [removed, left] = [newSupernode(1), newSupernode(2)];
  const before = await certified(left);
  await admin("remove-supernode", (await certified(removed)).supernodeId);
  clock.advance(16 * DAY_MS);
  const renewed = await certified(left);
  expect([renewed.supernodeId, renewed.serial > before.serial]).toEqual([before.supernodeId, true]);
  expect((await certified({ ...left, port: 3 })).port).toBe(3);
  expect(await refusal(newSupernode(4), token)).toBe("enrolment-refused");
});

test("a token that a host replaces enrols nobody new, and the one before that does not come back", async () => {
  const { token, admin, certified, refusal } = await network();
  const second = String((await admin("replace-enrolment-token")).enrolmentToken);
  const third = String((await admin("replace-enrolment-token")).enrolmentToken);
  for (const spent of [token, second]) expect(await refusal(newSupernode(1), spent)).toBe("enrolment-refused");
  await certified(newSupernode(1), third);
});

test("a member whose desktop supernode is removed gets no place for another one; operators keep their token", async () => {
  const { member, token, admin, certified, refusal, revoked } = await network();
  const session = await member("alice");
  const offer = async () => (await session.call("enrolSupernode", {})).token;
  const certificate = await certified(newSupernode(1), await offer());
  const early = await offer();
  expect(await admin("remove-supernode", certificate.supernodeId)).toEqual({ enrolmentToken: null });
  expect(await revoked()).toEqual([certificate.serial]);
  expect(await refusal(newSupernode(2), early)).toBe("supernode-removed");
  expect(await session.call("supernodeOffer", {})).toEqual({ kind: "not-wanted" });
  await certified(newSupernode(3), token);
});
