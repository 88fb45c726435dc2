import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import { unzip } from "../../scripts/unzip.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-unzip-"));
});
afterEach(() => rm(folder, { recursive: true }));

const REGULAR = 0o100000;
const LINK = 0o120000;

/** An archive of stored files (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16), made on Unix. */
async function archive(entries: readonly { name: string; mode: number; content: string }[]): Promise<string> {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, mode, content } of entries) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const file = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name + content)]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from("PK\x01\x02"), Buffer.from([20, 3]), common, rest, Buffer.from(name));
    files.push(file);
    offset += file.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  const path = join(folder, "archive.zip");
  await writeFile(path, Buffer.concat([...files, central, Buffer.from("PK\x05\x06"), end]));
  return path;
}

const target = () => join(folder, "target");

it("files come out with their content, permissions and the place that they are given", async () => {
  const zip = await archive([
    { name: "App/run", mode: REGULAR | 0o755, content: "program" },
    { name: "App/sub/data", mode: REGULAR | 0o640, content: "data" },
    { name: "App/unwanted", mode: REGULAR | 0o644, content: "" },
  ]);
  await unzip(zip, target(), (name) => (name.endsWith("unwanted") ? null : name.replace("App/", "")));
  expect((await readdir(target(), { recursive: true })).sort()).toEqual(["run", "sub", "sub/data"]);
  expect(await readFile(join(target(), "sub", "data"), "utf8")).toBe("data");
  expect((await stat(join(target(), "run"))).mode & 0o777).toBe(0o755);
});

it.each([
  ["a link", "link", LINK | 0o777, "is not a plain file"],
  ["a name that leads out of the folder", "../outside", REGULAR | 0o644, "invalid relative path"],
  ["an absolute name", "/tmp/outside", REGULAR | 0o644, "absolute path"],
])("%s is refused", async (_what, name, mode, complaint) => {
  const zip = await archive([{ name, mode, content: "/etc/passwd" }]);
  await expect(unzip(zip, target(), (each) => each)).rejects.toThrow(complaint);
  expect(await readdir(folder)).toEqual(["archive.zip"]);
});
