import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { openPromise } from "yauzl";

const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const DIRECTORY = 0o040000;

/**
 * Unpacks the files of a zip archive below `folder`, with their permission bits. `place`
 * says where a file goes (relative to `folder`), or null to leave it out. Names that would
 * lead out of the folder are refused by yauzl, links and other specials here.
 */
export async function unzip(archive: string, folder: string, place: (name: string) => string | null): Promise<void> {
  const zip = await openPromise(archive);
  for await (const entry of zip.eachEntry()) {
    const target = place(entry.fileName);
    const mode = entry.externalFileAttributes >>> 16;
    if (target === null || entry.fileName.endsWith("/") || (mode & FILE_TYPE) === DIRECTORY) continue;
    if ((mode & FILE_TYPE) !== REGULAR_FILE) throw new Error(`${entry.fileName} in ${archive} is not a plain file`);
    const file = join(folder, target);
    await mkdir(dirname(file), { recursive: true });
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(file, { mode: mode & 0o777 }));
  }
}
