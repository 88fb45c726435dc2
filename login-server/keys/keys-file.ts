/** The file with the network's keys: whole or not there, and readable by nobody else. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { KithError } from "../../protocol/errors.ts";
import { type NetworkKeys, parseNetworkKeys } from "./network-keys.ts";

/** @returns null if there is none @throws KithError `data-corrupt`, `data-newer`, `data-folder-unwritable` */
export async function readKeys(path: string): Promise<NetworkKeys | null> {
  if (!existsSync(path)) return null;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path }, { cause: error });
  }
  return parseNetworkKeys(text, path);
}

/** All of the text or none of it, on the disk before this returns. @throws KithError `data-folder-unwritable` */
export function writeKeys(path: string, text: string): void {
  writeUnfinished(path, text);
  finishKeys(path);
}

/** The name that they have until they count. */
export const unfinished = (path: string) => `${path}.new`;

export function writeUnfinished(path: string, text: string): void {
  try {
    const file = openSync(unfinished(path), "w", 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path }, { cause: error });
  }
}

export function finishKeys(path: string): void {
  try {
    renameSync(unfinished(path), path);
    syncFolder(dirname(path));
  } catch (error) {
    throw new KithError("data-folder-unwritable", { path }, { cause: error });
  }
}

/** The new name itself must outlast a power cut. Windows opens no folders, and writes names through by itself. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
