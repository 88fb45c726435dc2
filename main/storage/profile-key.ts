/**
 * The 32-byte key that a profile's database is encrypted under. Where the operating system
 * has a key store the key is sealed by it ("system"); elsewhere it lies in a file that only
 * its owner may read ("file").
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { RandomBytes } from "../core/randomness.ts";

const PROFILE_KEY_BYTES = 32;
export const PROFILE_KEY_FILE = "profile-key";
export const DATABASE_FILE = "kith.db";

/** The operating system's key store. */
export interface SystemKeyStore {
  protect(plain: Uint8Array): Uint8Array;
  /** Throws if the key store does not give the key out. */
  unprotect(sealed: Uint8Array): Uint8Array;
}

const Header = z.strictObject({ protection: z.enum(["system", "file"]), sealed: z.base64().max(8_192) });

/**
 * Reads the key of a profile, or makes one for a fresh profile. A key in a plain file is
 * handed to the key store as soon as there is one.
 * @throws KithError `data-folder-unwritable`, `data-missing`, `data-corrupt`, `profile-locked`
 */
export function loadProfileKey(folder: string, keyStore: SystemKeyStore | null, random: RandomBytes): Uint8Array {
  const path = join(folder, PROFILE_KEY_FILE);
  prepareFolder(folder);
  if (!existsSync(path)) {
    // A database without its key can never be read again; a new key would only hide that.
    const database = join(folder, DATABASE_FILE);
    if (existsSync(database)) throw new KithError("data-missing", { path, beside: database });
    const key = random(PROFILE_KEY_BYTES);
    store(folder, path, key, keyStore);
    return key;
  }
  const { protection, sealed } = readHeader(folder, path);
  const key = protection === "file" ? sealed : unprotect(path, sealed, keyStore);
  if (key.length !== PROFILE_KEY_BYTES) throw new KithError("data-corrupt", { path });
  if (protection === "file" && keyStore) store(folder, path, key, keyStore);
  return key;
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const probe = join(folder, ".writable");
    writeFileSync(probe, "", { mode: 0o600 });
    rmSync(probe);
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
}

function readHeader(folder: string, path: string): { protection: "system" | "file"; sealed: Uint8Array } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
  try {
    const { protection, sealed } = Header.parse(JSON.parse(text));
    return { protection, sealed: new Uint8Array(Buffer.from(sealed, "base64")) };
  } catch (error) {
    throw new KithError("data-corrupt", { path }, { cause: error });
  }
}

function unprotect(path: string, sealed: Uint8Array, keyStore: SystemKeyStore | null): Uint8Array {
  if (!keyStore) throw new KithError("profile-locked", { path });
  try {
    return keyStore.unprotect(sealed);
  } catch (error) {
    throw new KithError("profile-locked", { path }, { cause: error });
  }
}

/** Written beside the old one and moved over it, so that a crash leaves one of the two whole. */
function store(folder: string, path: string, key: Uint8Array, keyStore: SystemKeyStore | null): void {
  const sealed = keyStore ? keyStore.protect(key) : key;
  const header: z.infer<typeof Header> = {
    protection: keyStore ? "system" : "file",
    sealed: Buffer.from(sealed).toString("base64"),
  };
  try {
    const fresh = `${path}.new`;
    writeFileSync(fresh, JSON.stringify(header), { mode: 0o600, flush: true });
    renameSync(fresh, path);
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
}
