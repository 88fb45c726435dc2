/** Instances that publish the key log at the same moment: one epoch after the other, and each right. */
import { randomBytes } from "node:crypto";
import { afterEach, expect, inject, test } from "vitest";
import { logCertificate } from "../../login-server/key-log/entry-writer.ts";
import { publishEpoch } from "../../login-server/key-log/epoch.ts";
import { KnownTree } from "../../login-server/key-log/known-tree.ts";
import { openPostgresStorage } from "../../login-server/storage/postgres-storage.ts";
import { nextCertificateSerial } from "../../login-server/storage/serial.ts";
import type { Storage } from "../../login-server/storage/storage.ts";
import { toHex } from "../../protocol/bytes.ts";
import { DeviceId, type Handle, UserId } from "../../protocol/identifiers.ts";
import { decodeKeyLogHead, encodeKeyLogHead, type KeyLogHead, leafValue } from "../../protocol/key-log.ts";
import { rootOf, treeKeyOf } from "../../protocol/key-tree.ts";
import { networkIdOf, nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { signBody } from "../../protocol/signed.ts";
import { handle } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { newDatabase } from "../support/postgres-server.ts";

loginServers();
const base = inject("database");
const open: Storage[] = [];
afterEach(async () => {
  for (const storage of open.splice(0)) await storage.close();
});

const network = signingKeyPair();
const authority = {
  signKeyLogHead: (head: Omit<KeyLogHead, "networkId">) =>
    signBody(
      nodeSignatures,
      "keyLogHead",
      encodeKeyLogHead({ ...head, networkId: networkIdOf(network.publicKey) }),
      network.secretKey,
    ),
  isOfFormerKey: () => false,
};

async function instanceOn(database: string) {
  const storage = await openPostgresStorage(database, Date.now);
  open.push(storage);
  const tree = new KnownTree();
  const parts = { db: storage.db, authority, now: Date.now };
  return { db: storage.db, tree, publish: () => publishEpoch(parts, tree) };
}

type Instance = Awaited<ReturnType<typeof instanceOn>>;

async function certify({ db }: Instance, name: Handle): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await logCertificate(transaction, {
      handle: name,
      serial: await nextCertificateSerial(transaction),
      userId: UserId.parse(toHex(randomBytes(20))),
      deviceId: DeviceId.parse(toHex(randomBytes(16))),
      issuedAt: 1,
      expiresAt: 2,
      bytes: randomBytes(10),
    });
  });
}

/** The root that this instance proves the handle's chain with. */
async function provedRoot({ db, tree }: Instance, epoch: number, name: Handle): Promise<Uint8Array> {
  const key = treeKeyOf(name);
  const row = db.selectFrom("key_log_chains").selectAll().where("tree_key", "=", toHex(key));
  const { length, link } = await row.executeTakeFirstOrThrow();
  return rootOf({ key, value: leafValue({ length, link }) }, await tree.siblingsOf(db, epoch, toHex(key)));
}

test("epochs of instances that publish at once follow each other, and each head proves every chain", async () => {
  if (base?.kind !== "postgres") throw new Error("no PostgreSQL");
  const database = await newDatabase(base.url);
  const instances = [await instanceOn(database), await instanceOn(database)] as const;
  const names = Array.from({ length: 40 }, (_, index) => handle(`member${index}`));
  for (const [index, name] of names.entries()) {
    await certify(instances[0], name);
    // Half of them know the top of a tree that the other one has changed since.
    if (index % 4 === 3) await Promise.all(instances.map((instance) => instance.publish()));
  }
  const heads = await instances[0].db.selectFrom("key_log_heads").selectAll().orderBy("epoch").execute();
  expect(heads.map(({ epoch }) => epoch)).toEqual(heads.map((_, index) => index + 1));
  expect(heads.length).toBeGreaterThanOrEqual(10);
  const last = decodeKeyLogHead(heads.at(-1)?.head ?? new Uint8Array()).value;
  for (const instance of instances) {
    for (const name of names) expect(toHex(await provedRoot(instance, last.epoch, name))).toBe(toHex(last.root));
  }
  const shown = await instances[1].db
    .selectFrom("key_log_entries")
    .select("epoch")
    .where("epoch", "is", null)
    .execute();
  expect(shown).toEqual([]);
});
