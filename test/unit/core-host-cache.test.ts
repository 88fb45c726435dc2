import { afterEach, beforeEach, expect, test } from "vitest";
import { HostBook } from "../../main/directory/host-book.ts";
import { HostCache } from "../../main/directory/host-cache.ts";
import { toHex } from "../../protocol/bytes.ts";
import {
  decodeSupernodeCertificate,
  encodeSupernodeCertificate,
  type SupernodeCertificate,
} from "../../protocol/certificate.ts";
import { NetworkId, SupernodeId } from "../../protocol/identifiers.ts";
import { HOST_CACHE_SIZE } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { random } from "../support/test-account.ts";
import { type TestProfile, testProfile } from "../support/test-profile.ts";

const NOW = 1_000_000;
let profile: TestProfile;
let cache: HostCache;

beforeEach(() => {
  profile = testProfile();
  cache = new HostCache(profile.db, Math.random);
});
afterEach(() => profile.remove());

function supernode(number: number, expiresAt = NOW + 1_000): Signed<SupernodeCertificate> {
  const body = encodeSupernodeCertificate({
    networkId: NetworkId.parse("0".repeat(40)),
    supernodeId: idOf(number),
    signKey: random(32),
    tlsFingerprint: random(32),
    host: "127.0.0.1",
    port: 1 + number,
    serial: 1,
    issuedAt: 0,
    expiresAt,
  });
  return decodeSupernodeCertificate(Uint8Array.from([...body, ...new Uint8Array(64)]));
}

function idOf(number: number): SupernodeId {
  return SupernodeId.parse(toHex(Uint8Array.of(number >> 8, number & 0xff, ...new Uint8Array(18))));
}

const supernodes = (count: number) => Array.from({ length: count }, (_, number) => supernode(number));
const order = (except: SupernodeId | null = null) =>
  cache.candidates(NOW, except).map(({ supernodeId }) => supernodeId);

test("the near ones come first, what is not measured next, the far ones then, and who failed last", async () => {
  await cache.adopt(supernodes(5));
  await cache.succeeded(idOf(0), 900, NOW);
  await cache.succeeded(idOf(1), 12, NOW);
  await cache.succeeded(idOf(2), 40, NOW);
  await cache.failed(idOf(3));
  expect(order()).toEqual([idOf(1), idOf(2), idOf(4), idOf(0), idOf(3)]);
  await cache.succeeded(idOf(3), 5, NOW);
  expect(order()[0]).toBe(idOf(3));
});

test("one who fails again comes after one who failed once", async () => {
  await cache.adopt(supernodes(2));
  for (const number of [0, 0, 1]) await cache.failed(idOf(number));
  expect(order()).toEqual([idOf(1), idOf(0)]);
});

test("among equally near ones the order is drawn by lot, so that not everybody takes the same", async () => {
  await cache.adopt(supernodes(4));
  for (let number = 0; number < 4; number++) await cache.succeeded(idOf(number), 20, NOW);
  const firsts = new Set(Array.from({ length: 200 }, () => order()[0]));
  expect(firsts.size).toBe(4);
});

test("the present home and certificates that have run out are no candidates", async () => {
  await cache.adopt([supernode(0), supernode(1, NOW), supernode(2)]);
  expect(order(idOf(0))).toEqual([idOf(2)]);
});

test("what was measured outlives a restart", async () => {
  await cache.adopt(supernodes(3));
  await cache.succeeded(idOf(2), 3, NOW);
  profile = await profile.reopened();
  cache = new HostCache(profile.db, Math.random);
  await cache.load();
  expect(order()[0]).toBe(idOf(2));
  expect(cache.size).toBe(3);
});

test("a new list keeps what is measured, forgets who has left, and never grows beyond its size", async () => {
  await cache.adopt(supernodes(2));
  await cache.succeeded(idOf(1), 3, NOW);
  const many = Array.from({ length: 2 * HOST_CACHE_SIZE }, (_, number) => supernode(number + 1));
  await cache.adopt(many);
  expect(cache.size).toBe(HOST_CACHE_SIZE);
  expect(order()[0]).toBe(idOf(1));
  expect(order()).not.toContain(idOf(0));

  const other = new HostCache(profile.db, Math.random);
  await other.adopt(many);
  const known = new Set(order());
  const shared = other.candidates(NOW, null).filter(({ supernodeId }) => known.has(supernodeId));
  expect(shared.length).toBeLessThan(HOST_CACHE_SIZE);
});

test("whoever takes nobody is left alone for as long as it asked for, and up to as long again, and then tried as before", async () => {
  await cache.adopt(supernodes(2));
  await cache.succeeded(idOf(0), 1, NOW);
  cache.refused(idOf(0), { waitSeconds: 10, elsewhere: [] }, NOW);
  const at = (ms: number) => cache.candidates(NOW + ms, null).map(({ supernodeId }) => supernodeId);
  await cache.adopt([supernode(0, NOW + 60_000), supernode(1, NOW + 60_000)]);
  expect(at(9_999)).toEqual([idOf(1)]);
  expect(at(20_000)).toEqual([idOf(0), idOf(1)]);
});

test("those who are refused together do not come back together, and wait longer when they are refused in a row", () => {
  const waitAfter = (refusals: number): number => {
    const book = new HostBook(Math.random);
    book.adopt([supernode(0, NOW + 600_000)]);
    for (let time = 0; time < refusals; time++) book.refused(idOf(0), { waitSeconds: 4, elsewhere: [] }, NOW);
    return book.busyForMs(NOW, null);
  };
  const first = Array.from({ length: 200 }, () => waitAfter(1));
  expect(Math.min(...first)).toBeGreaterThanOrEqual(4_000);
  expect(Math.max(...first)).toBeLessThanOrEqual(8_000);
  expect(Math.max(...first) - Math.min(...first)).toBeGreaterThan(2_000);
  const second = Array.from({ length: 200 }, () => waitAfter(2));
  expect(Math.min(...second)).toBeGreaterThanOrEqual(8_000);
  expect(waitAfter(20)).toBeLessThanOrEqual(30_000);
});

test("there is nothing to wait for where somebody else can be tried", async () => {
  await cache.adopt(supernodes(2));
  cache.refused(idOf(0), { waitSeconds: 10, elsewhere: [] }, NOW);
  expect(cache.busyForMs(NOW, null)).toBe(0);
  expect(cache.busyForMs(NOW, idOf(1))).toBeGreaterThanOrEqual(10_000);
});
