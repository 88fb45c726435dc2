/** Coming back after a long time: certificates that age or have run out while the app was closed. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { TIMES } from "../../protocol/limits.ts";
import { ageCertificate, storedCertificate } from "../support/aged-profile.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const DAY_MS = 24 * 3_600_000;
let network: TestNetwork;
let alice: HeadlessClient;

beforeEach(async () => {
  network = await TestNetwork.start(2);
  alice = await HeadlessClient.signedUp(network.loginServer.url, "alice");
});
afterEach(async () => {
  await alice.close();
  await network.close();
});

const stored = () => storedCertificate(alice.folder);
const age = (days: number) => ageCertificate(alice.folder, network.authority, days);

test("an ageing certificate is renewed on the way, without a password", async () => {
  await alice.close({ keepFolder: true });
  await age(16);
  const before = await stored();
  alice = await alice.reopen();
  await alice.attached();
  await alice.until(() => alice.me.loginServerReachable, "session");
  await alice.close({ keepFolder: true });
  const after = await stored();
  expect(after.issuedAt).toBeGreaterThan(before.issuedAt + 15 * DAY_MS);
  expect(after.expiresAt - after.issuedAt).toBe(TIMES.userCertificateMs);
});

test("after it has run out the client is signed in and attached again, without a password", async () => {
  await alice.close({ keepFolder: true });
  await age(45);
  alice = await alice.reopen();
  await alice.attached();
  await alice.until(() => alice.me.notices.length === 0, "no trouble left");
});

test("when it has run out and the login server is down too, the user is told why nothing works", async () => {
  await alice.close({ keepFolder: true });
  await age(45);
  await network.loginServer.close();
  alice = await alice.reopen();
  await alice.until(
    () =>
      alice.me.notices
        .map(({ code }) => code)
        .sort()
        .join() === "certificate-expired,login-server-unreachable",
    "both said",
  );
  expect(alice.me.attached).toBe(false);
});

test("half a life without the login server signs nobody out", async () => {
  await alice.close({ keepFolder: true });
  await age(16);
  await network.loginServer.close();
  alice = await alice.reopen();
  await alice.attached();
  expect(alice.me.loginServerReachable).toBe(false);
});

test("who was away while every supernode was replaced by another one attaches to that", async () => {
  await alice.close({ keepFolder: true });
  const former = network.supernodes.splice(0);
  const { supernodeId } = await network.add();
  await Promise.all(former.map((supernode) => supernode.close()));
  await until(() => network.supernodes[0]?.members().join() === supernodeId);
  alice = await alice.reopen();
  await alice.attached();
});
