/** The network gets another key: what the login server signs with, serves, keeps and refuses, before, during and after. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { administrate } from "../../login-server/administration/admin-cli.ts";
import { backup, restore } from "../../login-server/backup-commands.ts";
import type { LoginServer } from "../../login-server/server.ts";
import { trustKeyLogHead } from "../../protocol/key-log.ts";
import { decodeSuccessions } from "../../protocol/network-key.ts";
import { firstChain } from "../../protocol/network-key-chain.ts";
import { NetworkTrust } from "../../protocol/network-trust.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import { trustRevocationList } from "../../protocol/revocations.ts";
import { trustSupernodeCertificate, trustSupernodeList, trustUserCertificate } from "../../protocol/trust.ts";
import {
  bytesOf,
  enrol,
  get,
  login,
  newSupernode,
  newUser,
  register,
  type SessionClient,
} from "../support/login-api-client.ts";
import { DAY_MS, loginServers, TestClock } from "../support/login-server-fixture.ts";
import { TestAuthority } from "../support/test-identities.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const servers = loginServers();
const code = (expected: string) => expect.objectContaining({ code: expected });

interface Told {
  readonly confirmationLink: string;
  readonly keys: readonly { readonly fingerprint: string; readonly state: string; readonly until: number | null }[];
}
async function admin(dataFolder: string, ...args: string[]): Promise<Told> {
  let written = "";
  await administrate(["network-key", ...args, "--json", "--data", dataFolder], {}, (text) => {
    written += text;
  });
  return JSON.parse(written) as Told;
}
const statesOf = ({ keys }: Told) => keys.map(({ state }) => state);

/** Whoever has known the network from its beginning. */
function follower(server: LoginServer, clock: TestClock): NetworkTrust {
  return new NetworkTrust(firstChain(server.networkKey), clock.now);
}
async function successionsAt({ url }: LoginServer): Promise<Uint8Array> {
  return bytesOf(String((await get(url, "/v1/network")).body.successions));
}
async function signedAt({ url }: LoginServer) {
  const notices = (await get(url, "/v1/notices")).body;
  return {
    head: bytesOf(String(notices.keyLogHead)),
    revocations: bytesOf(String(notices.revocations)),
    list: bytesOf(String((await get(url, "/v1/supernodes")).body.list)),
  };
}
async function renewed(session: SessionClient): Promise<Uint8Array> {
  return Uint8Array.from((await session.call("renew", {})).certificate);
}

test("a key is announced, works beside the old one, then alone; everything is signed anew by it, and nothing else changes", async () => {
  const clock = new TestClock();
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder, now: clock.now });
  const device = follower(server, clock);
  const [alice, bob] = [await register(server.url, "alice"), await register(server.url, "bob")];
  const session = await servers.open(server.url, alice);
  const supernode = newSupernode(5_001);
  const enrolled = await enrol(server.url, supernode, server.enrolmentToken);
  expect(statesOf(await admin(dataFolder, "show"))).toEqual(["present"]);

  const told = await admin(dataFolder, "rotate", "--overlap-days", "10");
  expect(statesOf(told)).toEqual(["present", "announced"]);
  expect(told.confirmationLink).toContain(`key=${told.keys[1]?.fingerprint}`);
  const pushed = await session.pushed("networkKeys");
  expect(device.take(Uint8Array.from(pushed.successions))).toBe("followed");
  expect(device.take(await successionsAt(server))).toBe("same");
  // Until it is at work there is nothing to renew.
  expect(await renewed(session)).toHaveLength(0);
  await expect(admin(dataFolder, "rotate")).rejects.toEqual(code("option-invalid"));

  clock.advance(HOUR_MS);
  expect(statesOf(await admin(dataFolder, "show"))).toEqual(["overlap", "present"]);
  const fresh = await renewed(session);
  const again = await enrol(server.url, supernode, server.enrolmentToken);
  expect(trustSupernodeCertificate(device.anchor, again).value.supernodeId).toBe(
    trustSupernodeCertificate(device.anchor, enrolled).value.supernodeId,
  );
  for (const certificate of [alice.certificate, bob.certificate, fresh])
    trustUserCertificate(device.anchor, certificate);
  await until(async () => {
    const { head } = await signedAt(server);
    return head.length > 0 && trustKeyLogHead(device.anchor, head).value.issuedAt >= clock.now();
  });
  await expect(admin(dataFolder, "rotate")).rejects.toEqual(code("option-invalid"));

  clock.advance(10 * DAY_MS);
  expect(statesOf(await admin(dataFolder, "show"))).toEqual(["over", "present"]);
  for (const certificate of [alice.certificate, bob.certificate]) {
    expect(() => trustUserCertificate(device.anchor, certificate)).toThrow(code("certificate-expired"));
  }
  expect(() => trustSupernodeCertificate(device.anchor, enrolled)).toThrow(code("certificate-expired"));
  trustUserCertificate(device.anchor, fresh);
  const { head, revocations, list } = await signedAt(server);
  trustKeyLogHead(device.anchor, head);
  trustRevocationList(device.anchor, revocations);
  expect(trustSupernodeList(device.anchor, list).value.supernodes).toHaveLength(1);

  // Who was away for all of it comes with a certificate that nobody else believes any more.
  const back = await servers.connect(server.url).open(server.networkId, bob);
  trustUserCertificate(device.anchor, back.certificate);
  // Who had never been here learns of no key but the first, and is led to the present one.
  const newcomer = follower(server, clock);
  expect(newcomer.take(await successionsAt(server))).toBe("followed");
  expect(server.networkId).toBe(networkIdOf(server.networkKey));
  const audit = await readAudit(dataFolder);
  expect(audit).toContain("network-key-changed");
});

async function readAudit(dataFolder: string): Promise<string> {
  let written = "";
  await administrate(["audit", "--json", "--data", dataFolder], {}, (text) => {
    written += text;
  });
  return written;
}

test("whoever has stolen the first key opens no session with it in anybody's name", async () => {
  const clock = new TestClock();
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder, now: clock.now });
  const alice = await register(server.url, "alice");
  const thief = TestAuthority.ofLoginServer(dataFolder, clock.now);
  const { sign } = newUser("mallory");
  const { userId, deviceId, handle } = alice;
  const { certificate } = thief.device({ seed: sign.secretKey.subarray(0, 32), userId, deviceId, handle });
  for (const _ of ["before the change", "after it"]) {
    const attempt = servers.connect(server.url).open(server.networkId, { certificate, sign, deviceId });
    await expect(attempt).rejects.toEqual(code("certificate-forged"));
    await admin(dataFolder, "rotate", "--stolen", "--yes");
    clock.advance(1_000);
  }
});

test("a stolen key ends at once, the next is for people to confirm, and --yes is asked for", async () => {
  const clock = new TestClock();
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder, now: clock.now });
  const device = follower(server, clock);
  const alice = await register(server.url, "alice");
  await expect(admin(dataFolder, "rotate", "--stolen")).rejects.toEqual(code("option-invalid"));
  const told = await admin(dataFolder, "rotate", "--stolen", "--yes");
  clock.advance(1_000);
  expect(statesOf(await admin(dataFolder, "show"))).toEqual(["over", "present"]);
  expect(device.take(await successionsAt(server))).toBe("unconfirmed");
  expect(() => trustUserCertificate(device.anchor, alice.certificate)).toThrow(code("certificate-expired"));
  device.confirm(server.networkId);
  expect(device.take(await successionsAt(server))).toBe("unconfirmed");
  const newest = decodeSuccessions(await successionsAt(server)).at(-1)?.value.key ?? new Uint8Array();
  expect(networkIdOf(newest)).toBe(told.keys[1]?.fingerprint);
  device.confirm(networkIdOf(newest));
  expect(device.take(await successionsAt(server))).toBe("same");
  const { certificate } = await servers.connect(server.url).open(server.networkId, alice);
  trustUserCertificate(device.anchor, certificate);
});

test("a change that is under way outlives a restart, a backup and another machine", async () => {
  const clock = new TestClock();
  const dataFolder = servers.folder();
  const { database } = await servers.database(dataFolder);
  const before = await servers.start({ dataFolder, now: clock.now });
  const device = follower(before, clock);
  const alice = await register(before.url, "alice");
  await admin(dataFolder, "rotate", "--overlap-days", "10");
  clock.advance(2 * HOUR_MS);
  await before.close();

  const after = await servers.start({ dataFolder, now: clock.now });
  expect(device.take(await successionsAt(after))).toBe("followed");
  const file = join(servers.folder(), "backup");
  await backup({ file, folder: dataFolder, database }, clock.now);
  await after.close();

  const elsewhere = servers.folder();
  const target = (await servers.database(elsewhere)).database;
  await restore({ file, folder: elsewhere, database: target }, clock.now);
  const restored = await servers.start({ dataFolder: elsewhere, now: clock.now });
  expect(await successionsAt(restored)).toEqual(device.bytes);
  expect(statesOf(await admin(elsewhere, "show"))).toEqual(["overlap", "present"]);
  const { certificate } = await servers.connect(restored.url).open(restored.networkId, alice);
  clock.advance(20 * DAY_MS);
  trustUserCertificate(device.anchor, certificate);
  expect((await login(restored.url, "alice", alice.password)).userId).toBe(alice.userId);
});

test("an instance that has only the first key takes a planned one from the database in time, and does without a stolen one", async () => {
  const clock = new TestClock();
  const [dataFolder, otherFolder] = [servers.folder(), servers.folder()];
  const [keysFile, otherKeysFile] = [dataFolder, otherFolder].map((folder) => join(folder, "network-keys.json"));
  const first = await servers.start({ dataFolder, now: clock.now });
  const firstKeys = readFileSync(keysFile as string, "utf8");
  const device = follower(first, clock);
  await admin(dataFolder, "rotate", "--overlap-days", "10");
  clock.advance(2 * HOUR_MS);
  const bothKeys = readFileSync(keysFile as string, "utf8");
  await first.close();

  const { database } = await servers.database(dataFolder);
  const elsewhere = { dataFolder: otherFolder, now: clock.now, ...(database && { database }) };
  const startWith = (keys: string) => {
    writeFileSync(otherKeysFile as string, keys);
    return servers.start(elsewhere);
  };
  if (!database) copyFileSync(join(dataFolder, "login.db"), join(otherFolder, "login.db"));
  const second = await startWith(firstKeys);
  device.take(await successionsAt(second));
  trustUserCertificate(device.anchor, (await register(second.url, "bob")).certificate);
  expect(JSON.parse(readFileSync(otherKeysFile as string, "utf8"))).toEqual(JSON.parse(bothKeys));
  await second.close();

  // Once the old key is over, the database tells whoever has kept it nothing of the next one.
  clock.advance(11 * DAY_MS);
  const third = await startWith(bothKeys);
  await third.close();
  await expect(startWith(firstKeys)).rejects.toEqual(code("network-key-missing"));
  const fourth = await startWith(bothKeys);
  await admin(otherFolder, "rotate", "--stolen", "--yes");
  await fourth.close();
  await expect(startWith(bothKeys)).rejects.toEqual(code("network-key-missing"));
});
