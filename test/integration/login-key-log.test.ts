import { describe, expect, it } from "vitest";
import type { LoginServer } from "../../login-server/server.ts";
import { equalBytes } from "../../protocol/bytes.ts";
import { decodeUserCertificate } from "../../protocol/certificate.ts";
import { Handle } from "../../protocol/identifiers.ts";
import {
  chainOn,
  chainStart,
  continues,
  decodeKeyLogEntries,
  epochsBetween,
  type KeyLogHead,
  provesChain,
  trustKeyLogHead,
} from "../../protocol/key-log.ts";
import { HASH_BYTES, treeKeyOf } from "../../protocol/key-tree.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { sha256 } from "../../protocol/node-crypto.ts";
import { trustRevocationList } from "../../protocol/revocations.ts";
import type { Signed } from "../../protocol/signed.ts";
import { login, register, type SessionClient } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { until } from "../support/until.ts";

const servers = loginServers();
const anchorOf = (server: LoginServer) => trustAnchor(server.networkKey, Date.now);

/** Entries that a head proves, from the beginning. */
async function provenChain(server: LoginServer, session: SessionClient, name: string) {
  const handle = Handle.parse(name);
  const answer = await session.call("keyLog", { handle, since: 0 });
  const head = trustKeyLogHead(anchorOf(server), Uint8Array.from(answer.head));
  const entries = decodeKeyLogEntries(Uint8Array.from(answer.entries));
  const end = entries.reduce(chainOn, chainStart(treeKeyOf(handle)));
  const siblings = Array.from({ length: answer.siblings.length / HASH_BYTES }, (_, index) =>
    Uint8Array.from(answer.siblings.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)),
  );
  expect(end.length).toBe(answer.length);
  expect(provesChain(head.value, handle, end, siblings)).toBe(true);
  return { head, entries };
}

async function chainOf(server: LoginServer, session: SessionClient, name: string, length: number) {
  const handle = Handle.parse(name);
  await until(async () => (await session.call("keyLog", { handle, since: 0 })).length >= length);
  return provenChain(server, session, name);
}

async function revokedAt(server: LoginServer) {
  const answer: unknown = await (await fetch(`${server.url}/v1/notices`)).json();
  const { revocations } = answer as { revocations: string };
  return trustRevocationList(anchorOf(server), new Uint8Array(Buffer.from(revocations, "base64"))).value;
}

const serialOf = (certificate: Uint8Array) => decodeUserCertificate(certificate).value.serial;

describe("the key log", () => {
  it("shows each certificate of a handle, proved by a head that the network has signed", async () => {
    const server = await servers.start();
    const alice = await register(server.url, "alice", "a long secret");
    for (const name of ["bob", "carol", "dave"]) await register(server.url, name);
    const session = await servers.open(server.url, alice);
    const first = await chainOf(server, session, "alice", 1);
    expect(first.entries[0]?.certificateHash).toEqual(sha256(alice.certificate));

    const phone = await login(server.url, "alice", "a long secret");
    const { entries, head } = await chainOf(server, session, "alice", 2);
    expect(entries[1]).toMatchObject({ userId: decodeUserCertificate(phone.certificate).value.userId });
    expect(entries[1]?.certificateHash).toEqual(sha256(phone.certificate));
    expect(head.value.epoch).toBeGreaterThan(first.head.value.epoch);
    await chainOf(server, session, "dave", 1);
  });

  it("links its heads, so that any of them shows to continue any earlier one", async () => {
    const server = await servers.start();
    const alice = await register(server.url, "alice", "a long secret");
    const session = await servers.open(server.url, alice);
    const known: Signed<KeyLogHead>[] = [(await chainOf(server, session, "alice", 1)).head];
    for (let count = 2; count <= 4; count++) {
      await login(server.url, "alice", "a long secret");
      known.push((await chainOf(server, session, "alice", count)).head);
    }
    const [oldest, newest] = [known[0], known.at(-1)] as [Signed<KeyLogHead>, Signed<KeyLogHead>];
    const way = epochsBetween(newest.value.epoch, oldest.value.epoch);
    const { heads } = await session.call("keyLogHeads", { epochs: way });
    const between = heads.map((bytes: Uint8Array) => trustKeyLogHead(anchorOf(server), Uint8Array.from(bytes)));
    expect(continues(newest, between, oldest)).toBe(true);
  });

  it("takes in after a restart what no epoch had shown before", async () => {
    const dataFolder = servers.folder();
    const before = await servers.start({ dataFolder });
    const alice = await register(before.url, "alice");
    await before.close();
    const after = await servers.start({ dataFolder });
    const { entries } = await chainOf(after, await servers.open(after.url, alice), "alice", 1);
    expect(equalBytes(entries[0]?.certificateHash as Uint8Array, sha256(alice.certificate))).toBe(true);
  });
});

describe("the revocation list", () => {
  it("names every certificate of a device that was signed out, and none of another device", async () => {
    const server = await servers.start();
    const alice = await register(server.url, "alice", "a long secret");
    const phone = await login(server.url, "alice", "a long secret");
    const again = await login(server.url, "alice", "a long secret", phone.deviceId);
    const before = await revokedAt(server);
    expect(before.serials).toEqual([]);
    await (await servers.open(server.url, alice)).call("signOutDevice", { deviceId: phone.deviceId });
    const after = await revokedAt(server);
    expect(after.serials).toEqual([serialOf(phone.certificate), serialOf(again.certificate)]);
    expect(after.revision).toBeGreaterThan(before.revision);

    const back = await login(server.url, "alice", "a long secret", phone.deviceId);
    expect((await revokedAt(server)).serials).not.toContain(serialOf(back.certificate));
  });

  it("names no certificate of somebody else, whatever device a member signs out", async () => {
    const server = await servers.start();
    const alice = await register(server.url, "alice");
    const mallory = await register(server.url, "mallory", "a long secret");
    const session = await servers.open(server.url, mallory);
    await session.call("signOutDevice", { deviceId: alice.deviceId });
    expect((await revokedAt(server)).serials).toEqual([]);

    const twin = await login(server.url, "mallory", "a long secret", alice.deviceId);
    await session.call("signOutDevice", { deviceId: twin.deviceId });
    expect((await revokedAt(server)).serials).toEqual([serialOf(twin.certificate)]);
  });
});
