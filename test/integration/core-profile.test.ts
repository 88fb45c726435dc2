/** The profile folder: sealed, one client at a time, and never touched when it cannot be used. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type KithClient, openClient } from "../../main/core/client.ts";
import { silentLog } from "../../main/core/log.ts";
import { DATABASE_FILE, PROFILE_KEY_FILE, type SystemKeyStore } from "../../main/storage/profile-key.ts";

let parent: string;
let folder: string;
const open: KithClient[] = [];

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "kith-profile-"));
  folder = join(parent, "profile");
});

afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
  chmodSync(parent, 0o755);
  rmSync(parent, { recursive: true, force: true });
});

async function openProfile(systemKeyStore: SystemKeyStore | null = null): Promise<KithClient> {
  const client = await openClient({
    dataFolder: folder,
    deviceName: "test",
    defaultLoginServer: "http://127.0.0.1:1",
    systemKeyStore,
    log: silentLog,
  });
  open.push(client);
  return client;
}

async function openAndClose(systemKeyStore: SystemKeyStore | null = null): Promise<void> {
  const client = await openProfile(systemKeyStore);
  open.pop();
  await client.close();
}

const refused = (code: string) => expect.objectContaining({ name: "KithError", code });
const file = (name: string) => join(folder, name);
const digest = (name: string) =>
  createHash("sha256")
    .update(readFileSync(file(name)))
    .digest("hex");

/** A key store whose sealing is a flip of bits: enough to tell sealed from plain. */
const keyStore: SystemKeyStore = {
  protect: (plain) => plain.map((byte) => byte ^ 0x55),
  unprotect: (sealed) => sealed.map((byte) => byte ^ 0x55),
};
const header = (): { protection: string; sealed: string } => JSON.parse(readFileSync(file(PROFILE_KEY_FILE), "utf8"));

describe("the profile key", () => {
  test("lies in a file that only its owner may read where there is no key store", async () => {
    await openAndClose();
    expect(header().protection).toBe("file");
    expect(statSync(file(PROFILE_KEY_FILE)).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test("moves into the key store as soon as there is one, and the profile stays readable", async () => {
    await openAndClose();
    const plain = header().sealed;
    await openAndClose(keyStore);
    expect(header()).toMatchObject({ protection: "system" });
    expect(header().sealed).not.toBe(plain);
    await openAndClose(keyStore);
  });

  test("that the key store does not give out leaves everything as it is", async () => {
    await openAndClose(keyStore);
    const before = [digest(PROFILE_KEY_FILE), digest(DATABASE_FILE)];
    const locked: SystemKeyStore = {
      protect: keyStore.protect,
      unprotect: () => {
        throw new Error("the key ring is locked");
      },
    };
    await expect(openProfile(locked)).rejects.toEqual(refused("profile-locked"));
    await expect(openProfile(null)).rejects.toEqual(refused("profile-locked"));
    expect([digest(PROFILE_KEY_FILE), digest(DATABASE_FILE)]).toEqual(before);
    await openAndClose(keyStore);
  });

  test("is never made anew beside a database that needs the old one", async () => {
    await openAndClose();
    const before = digest(DATABASE_FILE);
    rmSync(file(PROFILE_KEY_FILE));
    await expect(openProfile()).rejects.toEqual(refused("data-missing"));
    expect(digest(DATABASE_FILE)).toBe(before);
    expect(readdirSync(folder)).not.toContain(PROFILE_KEY_FILE);
  });

  test("that is damaged is left alone", async () => {
    await openAndClose();
    for (const damage of [
      "",
      "{}",
      "not json",
      '{"protection":"file","sealed":"AAAA"}',
      '{"protection":"magic","sealed":""}',
    ]) {
      writeFileSync(file(PROFILE_KEY_FILE), damage);
      await expect(openProfile()).rejects.toEqual(refused("data-corrupt"));
      expect(readFileSync(file(PROFILE_KEY_FILE), "utf8")).toBe(damage);
    }
  });
});

describe("the database", () => {
  test("says nothing to whoever has the file without the key", async () => {
    const client = await openProfile();
    await expect(client.methods.snapshot({})).resolves.toMatchObject({ session: { phase: "signed-out" } });
    const bytes = Buffer.concat([DATABASE_FILE, `${DATABASE_FILE}-wal`].map((name) => readFileSync(file(name))));
    expect(bytes.length).toBeGreaterThan(20_000);
    expect(bytes.subarray(0, 15).toString("latin1")).not.toBe("SQLite format 3");
    expect(bytes.includes("CREATE TABLE")).toBe(false);
    expect(bytes.includes("seen_envelopes")).toBe(false);
  });

  test.each([
    ["random bytes", () => writeFileSync(file(DATABASE_FILE), Buffer.alloc(20_000, 0x5a))],
    ["a file cut short", () => truncateSync(file(DATABASE_FILE), 6_000)],
    [
      "a damaged page in the middle",
      () => {
        const bytes = readFileSync(file(DATABASE_FILE));
        bytes.fill(0xee, 4_096 * 2, 4_096 * 4);
        writeFileSync(file(DATABASE_FILE), bytes);
      },
    ],
    [
      "another profile's key",
      () =>
        writeFileSync(
          file(PROFILE_KEY_FILE),
          JSON.stringify({ protection: "file", sealed: Buffer.alloc(32, 1).toString("base64") }),
        ),
    ],
  ])("with %s is refused and left as it is", async (_what, damage) => {
    await openAndClose();
    damage();
    const before = digest(DATABASE_FILE);
    await expect(openProfile()).rejects.toEqual(refused("data-corrupt"));
    expect(digest(DATABASE_FILE)).toBe(before);
  });

  test("of a newer version is refused and left as it is", async () => {
    await openAndClose();
    const encryptionKey = Buffer.from(header().sealed, "base64").toString("hex");
    // libsql's types do not know its own encryption options.
    const options: object = { encryptionCipher: "aes256cbc", encryptionKey };
    const database = new Database(file(DATABASE_FILE), options);
    database.exec("PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE)");
    database.close();
    const before = digest(DATABASE_FILE);
    await expect(openProfile()).rejects.toEqual(refused("data-newer"));
    expect(digest(DATABASE_FILE)).toBe(before);
  });

  test("takes one client at a time, and the next as soon as that is closed", async () => {
    const first = await openProfile();
    await expect(openProfile()).rejects.toEqual(refused("data-in-use"));
    open.pop();
    await first.close();
    await openAndClose();
  });
});

describe("a folder that cannot be written", () => {
  test("is refused, whether it is read-only or no folder at all", async () => {
    writeFileSync(folder, "a file stands here");
    await expect(openProfile()).rejects.toEqual(refused("data-folder-unwritable"));
    expect(readFileSync(folder, "utf8")).toBe("a file stands here");

    rmSync(folder);
    await openAndClose();
    const before = digest(DATABASE_FILE);
    await asOrdinaryUser(async () => {
      chmodSync(folder, 0o555);
      await expect(openProfile()).rejects.toEqual(refused("data-folder-unwritable"));
      chmodSync(folder, 0o755);
    });
    expect(digest(DATABASE_FILE)).toBe(before);
  });

  test("is refused when only the database in it is read-only", async () => {
    await openAndClose();
    await asOrdinaryUser(async () => {
      chmodSync(file(DATABASE_FILE), 0o444);
      await expect(openProfile()).rejects.toEqual(refused("data-folder-unwritable"));
    });
  });

  test("is made if it is not there yet", async () => {
    folder = join(parent, "not", "there", "yet");
    mkdirSync(join(parent, "not"));
    await openAndClose();
    expect(readdirSync(folder)).toContain(DATABASE_FILE);
  });
});

/** File permissions mean nothing to root, so root becomes nobody for a while. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  const NOBODY = 65_534;
  const { geteuid, seteuid } = process;
  if (!geteuid || !seteuid || geteuid() !== 0) return work();
  for (const path of [parent, folder, ...readdirSync(folder).map(file)]) {
    chownSync(path, NOBODY, NOBODY);
  }
  seteuid(NOBODY);
  try {
    await work();
  } finally {
    seteuid(0);
  }
}
