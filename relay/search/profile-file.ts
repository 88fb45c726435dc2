/**
 * The profiles on disk, so that a supernode that starts anew still has them: a header, then each
 * profile behind its length. Each is signed, so a damaged one shows when it is read; what
 * the last minutes before a crash lose, the other holders still have.
 */
import { open, readFile, rename } from "node:fs/promises";
import { concatBytes, utf8 } from "../../protocol/bytes.ts";
import { decodeProfile, type Profile } from "../../protocol/profile.ts";
import type { Signed } from "../../protocol/signed.ts";

const HEADER = utf8("kith profiles 1\n");
const LENGTH_BYTES = 2;
const PER_WRITE = 500;

/** Written whole, or not at all. @throws what the file system says */
export async function saveProfiles(path: string, profiles: Iterable<{ readonly bytes: Uint8Array }>): Promise<void> {
  const unfinished = `${path}.new`;
  const file = await open(unfinished, "w", 0o600);
  try {
    let parts: Uint8Array[] = [HEADER];
    for (const { bytes } of [...profiles]) {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(bytes.length);
      parts.push(length, bytes);
      if (parts.length < 2 * PER_WRITE) continue;
      await file.writeFile(concatBytes(parts));
      parts = [];
    }
    await file.writeFile(concatBytes(parts));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}

/**
 * What can be read of the file; none if there is none. The signatures are not checked here.
 * @throws what the file system says
 */
export async function* loadProfiles(path: string): AsyncGenerator<Signed<Profile>> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (!bytes?.subarray(0, HEADER.length).equals(HEADER)) return;
  for (let at = HEADER.length; at + LENGTH_BYTES <= bytes.length; ) {
    const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
    const profile = end <= bytes.length ? decoded(bytes.subarray(at + LENGTH_BYTES, end)) : null;
    at = end;
    if (profile) yield profile;
  }
}

function decoded(bytes: Uint8Array): Signed<Profile> | null {
  try {
    return decodeProfile(bytes);
  } catch {
    return null;
  }
}
