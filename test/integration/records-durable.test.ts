/** The record store on a real disk: what a restart, a crash and a damaged file leave of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NetworkId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import { DurableRecords, type DurableRecordsOptions } from "../../relay/records/durable-records.ts";
import { inboxNumber, LEASE_NETWORK, supernodeNumber, unsignedLeases } from "../support/made-leases.ts";

const START = 1_800_000_000_000;
const leaseOf = unsignedLeases({ issuedAt: START });
const newerLeaseOf = unsignedLeases({ issuedAt: START + 1_000 });
const userOf = (user: number) => leaseOf(user).value.userId;

let folder: string;
let now: number;
let faults: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-records-"));
  now = START + 2_000;
  faults = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (changes: Partial<DurableRecordsOptions> = {}) =>
  DurableRecords.open({
    folder,
    networkId: LEASE_NETWORK,
    indexSecret: [1, 2],
    now: () => now,
    onFault: (error) => faults.push(error),
    ...changes,
  });
const files = () => readdirSync(folder).sort();
const onlyLog = () => join(folder, files().findLast((name) => name.startsWith("log-")) as string);

describe("a record store on disk", () => {
  it("is the same after a restart, sightings included", async () => {
    const before = await open();
    for (let user = 0; user < 500; user++) before.put(leaseOf(user), now);
    for (let user = 0; user < 100; user++) before.put(newerLeaseOf(user), now);
    const notice = {
      userId: userOf(300),
      deviceId: leaseOf(300).value.deviceId,
      inbox: inboxNumber(1),
      home: supernodeNumber(1),
      lastSeenAt: START + 500,
    };
    expect(before.markGone(notice, now)).toBe(true);
    before.close();

    const after = await open();
    expect(after.size).toBe(500);
    expect(after.find(userOf(5), now)[0]?.lease.value.sequence).toBe(START + 1_000);
    expect(after.find(userOf(200), now)[0]).toMatchObject({ gone: false, lastSeenAt: START });
    expect(after.find(userOf(300), now)[0]).toMatchObject({ gone: true, lastSeenAt: START + 500 });
    expect(Buffer.from(after.find(userOf(7), now)[0]?.lease.bytes ?? [])).toEqual(Buffer.from(newerLeaseOf(7).bytes));
    expect(after.damages).toEqual([]);
    await after.compact();
    after.close();
    expect(faults).toEqual([]);
  });

  it("replaces its logs by a snapshot, while records go on changing", async () => {
    const store = await open();
    for (let user = 0; user < 5_000; user++) store.put(leaseOf(user), now);
    store.flush();
    const compacted = store.compact();
    for (let user = 0; user < 5_000; user += 2) store.put(newerLeaseOf(user, 64), now);
    await compacted;
    store.close();
    expect(files().filter((name) => name.startsWith("snapshot"))).toHaveLength(1);
    expect(files()).toHaveLength(2);

    const after = await open();
    expect(after.size).toBe(5_000);
    const sequences = Array.from(
      { length: 5_000 },
      (_, user) => after.find(userOf(user), now)[0]?.lease.value.sequence,
    );
    expect(sequences).toEqual(sequences.map((_, user) => (user % 2 ? START : START + 1_000)));
    after.close();
  });

  it("forgets on loading what has outlived its 72 hours", async () => {
    const before = await open();
    before.put(leaseOf(1), now);
    before.put(newerLeaseOf(2), now);
    before.close();
    now = START + TIMES.leaseValidityMs + TIMES.leaseMemoryMs;
    const after = await open();
    expect(after.size).toBe(1);
    expect(after.find(userOf(2), now)).toHaveLength(1);
    after.close();
  });

  it.each([
    ["cut off in the middle of a record", (path: string) => truncateSync(path, statSync(path).size - 100)],
    ["with a record half overwritten", (path: string) => damageTail(path)],
    ["with rubbish behind the last record", (path: string) => appendFileSync(path, Buffer.alloc(999, 0x5a))],
  ])("loses only the tail of a log %s, says so, and stays usable", async (_, damage) => {
    const before = await open();
    for (let user = 0; user < 200; user++) before.put(leaseOf(user), now);
    before.close();
    damage(onlyLog());

    const after = await open();
    expect(after.size).toBeGreaterThanOrEqual(199);
    expect(after.find(userOf(198), now)).toHaveLength(1);
    expect(after.damages).toHaveLength(1);
    expect(after.damages[0]?.lostBytes).toBeLessThan(1_000);
    after.put(leaseOf(500), now);
    await after.compact();
    after.close();
    const again = await open();
    expect(again.damages).toEqual([]);
    expect(again.find(userOf(500), now)).toHaveLength(1);
    again.close();
  });

  it("starts empty, and says so, when a file is no file of records", async () => {
    writeFileSync(join(folder, "snapshot-3"), "once upon a time");
    const store = await open();
    expect(store.size).toBe(0);
    expect(store.damages).toMatchObject([{ file: "snapshot-3" }]);
    store.close();
  });

  it("does not read, and does not touch, what a newer version has written", async () => {
    const before = await open();
    before.put(leaseOf(1), now);
    before.close();
    const path = onlyLog();
    const bytes = readFileSync(path);
    bytes[12] = 2;
    writeFileSync(path, bytes);
    await expect(open()).rejects.toMatchObject({ code: "data-newer" });
    expect(readFileSync(path)).toEqual(bytes);
  });

  it("takes no records of another network", async () => {
    const before = await open();
    before.put(leaseOf(1), now);
    before.close();
    const after = await open({ networkId: NetworkId.parse("0f".repeat(20)) });
    expect(after.size).toBe(0);
    after.close();
  });

  it("refuses a folder that cannot be made", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(open({ folder: join(folder, "file", "records") })).rejects.toMatchObject({
      code: "data-folder-unwritable",
    });
  });

  it("goes on in memory when the disk fails, reports it, and writes everything once it is back", async () => {
    const store = await open({ folder: join(folder, "records") });
    store.put(leaseOf(1), now);
    store.flush();
    await rm(join(folder, "records"), { recursive: true });
    await store.compact();
    expect(faults).toHaveLength(1);
    store.put(leaseOf(2), now);
    store.flush();
    expect(store.find(userOf(2), now)).toHaveLength(1);

    await mkdir(join(folder, "records"));
    now += 120_000;
    store.flush();
    await store.compact();
    store.close();
    const after = await open({ folder: join(folder, "records") });
    expect(after.size).toBe(2);
    after.close();
  });

  it("keeps what it wrote before its process was killed with -9", async () => {
    const script = join(folder, "writer.mjs");
    await build({
      stdin: { contents: WRITER, resolveDir: import.meta.dirname, loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: script,
      banner: {
        js: 'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);',
      },
      logLevel: "error",
    });
    const records = join(folder, "records");
    const child = spawn(process.execPath, [script, records], { stdio: ["ignore", "pipe", "inherit"] });
    let written = "";
    for await (const piece of child.stdout) {
      written += piece;
      if (written.includes("3000\n")) break;
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    const flushed = Number(written.trim().split("\n").at(-1));

    const store = await open({ folder: records });
    expect(flushed).toBeGreaterThanOrEqual(3_000);
    const missing = Array.from({ length: flushed }, (_, user) => user).filter(
      (user) => store.find(userOf(user), now).length === 0,
    );
    expect(missing).toEqual([]);
    store.close();
  }, 30_000);
});

/** Puts without end, compacting all the while, and says how many are in the hands of the system. */
const WRITER = `
  import { DurableRecords } from "../../relay/records/durable-records.ts";
  import { LEASE_NETWORK, unsignedLeases } from "../support/made-leases.ts";
  const now = ${START} + 2000;
  const leaseOf = unsignedLeases({ issuedAt: ${START} });
  const store = await DurableRecords.open({
    folder: process.argv[2], networkId: LEASE_NETWORK, indexSecret: [1, 2], now: () => now,
    onFault: (error) => { throw error; },
  });
  for (let user = 0; ; user += 100) {
    for (let each = user; each < user + 100; each++) store.put(leaseOf(each), now);
    store.flush();
    void store.compact();
    process.stdout.write(user + 100 + "\\n");
    await new Promise((resolve) => setImmediate(resolve));
  }
`;

function damageTail(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xff, bytes.length - 50);
  writeFileSync(path, bytes);
}
