/**
 * The files of a record store, in generations: `snapshot-N` holds what was there when
 * `log-N` was begun, every `log-M` with M >= N what has changed since. Reading them in
 * order and putting each record as it comes gives the store back, since the newer lease
 * always wins; so a snapshot may be written while records change.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { checkHeader, decodeFrame, FILE_HEADER_BYTES, fileHeader } from "./record-frame.ts";
import type { Sighting } from "./sighting.ts";

const CHUNK_BYTES = 1 << 20;
const NAME = /^(snapshot|log)-(\d{1,12})$/;

interface RecordFile {
  readonly kind: "snapshot" | "log";
  readonly generation: number;
  readonly name: string;
}

/** What could not be read of one file: a torn tail is small, anything else is a sick disk. */
export interface Damage {
  readonly file: string;
  readonly lostBytes: number;
}

export interface Loaded {
  /** The highest of any file, 0 if there is none. */
  readonly lastGeneration: number;
  readonly logs: number;
  readonly snapshotBytes: number;
  readonly damages: readonly Damage[];
}

export type TakeRecord = (lease: Uint8Array, sighting: Sighting) => void;

/**
 * Reads all records of a folder, which is made if need be. The lease given to `take` is a view: copy what is to last.
 * @throws KithError `data-newer`, `data-folder-unwritable`
 */
export async function loadRecordFiles(folder: string, networkId: NetworkId, take: TakeRecord): Promise<Loaded> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const files = (await readdir(folder)).flatMap(parseName);
    const snapshot = files
      .filter(({ kind }) => kind === "snapshot")
      .sort(byGeneration)
      .at(-1);
    const first = snapshot?.generation ?? 0;
    const logs = files.filter(({ kind, generation }) => kind === "log" && generation >= first).sort(byGeneration);
    const damages: Damage[] = [];
    let snapshotBytes = 0;
    for (const file of snapshot ? [snapshot, ...logs] : logs) {
      const { readBytes, lostBytes } = await loadFile(join(folder, file.name), networkId, take);
      if (file === snapshot) snapshotBytes = readBytes;
      if (lostBytes > 0) damages.push({ file: file.name, lostBytes });
    }
    const lastGeneration = Math.max(0, ...files.map(({ generation }) => generation));
    return { lastGeneration, logs: logs.length, snapshotBytes, damages };
  } catch (error) {
    if (error instanceof KithError) throw error;
    throw new KithError("data-folder-unwritable", { path: folder }, { cause: error });
  }
}

async function loadFile(
  path: string,
  networkId: NetworkId,
  take: TakeRecord,
): Promise<{ readBytes: number; lostBytes: number }> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, FILE_HEADER_BYTES, 0);
    const owner = checkHeader(header.subarray(0, bytesRead), networkId);
    if (owner === "newer") throw new KithError("data-newer", { path });
    if (owner === "foreign") return { readBytes: 0, lostBytes: Math.max(1, size) };

    let position = FILE_HEADER_BYTES;
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead: got } = await file.read(chunk, 0, CHUNK_BYTES, position);
      const bytes = chunk.subarray(0, got);
      let offset = 0;
      let step = decodeFrame(bytes, offset);
      while (step.kind === "frame") {
        take(step.lease, step.sighting);
        offset = step.end;
        step = decodeFrame(bytes, offset);
      }
      position += offset;
      if (step.kind === "damaged" || offset === 0) return { readBytes: position, lostBytes: size - position };
    }
  } finally {
    await file.close();
  }
}

/** A log that is being written. Appending is a copy into the system's cache; `sync` is what waits for the disk. */
export class RecordLog {
  readonly #file: number;

  /** @throws what the file system says */
  constructor(folder: string, generation: number, networkId: NetworkId) {
    this.#file = openSync(join(folder, `log-${generation}`), "wx", 0o600);
    writeSync(this.#file, fileHeader(networkId));
  }

  append(frames: readonly Uint8Array[]): number {
    const bytes = Buffer.concat(frames);
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#file, bytes, written);
    return written;
  }

  sync(): void {
    fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * Writes a snapshot of what `batches` yields, then removes what it supersedes. Until the
 * last step the former files are whole.
 * @returns bytes written, null if `isStopped` said so on the way
 */
export async function writeSnapshot(
  folder: string,
  generation: number,
  networkId: NetworkId,
  batches: Iterable<readonly Uint8Array[]>,
  isStopped: () => boolean,
): Promise<number | null> {
  const unfinished = join(folder, "snapshot.new");
  const file = await open(unfinished, "w", 0o600);
  let written = 0;
  try {
    written += (await file.write(fileHeader(networkId))).bytesWritten;
    for (const frames of batches) {
      if (isStopped()) return null;
      const bytes = Buffer.concat(frames);
      await file.writeFile(bytes);
      written += bytes.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (isStopped()) return null;
  await rename(unfinished, join(folder, `snapshot-${generation}`));
  for (const file of (await readdir(folder)).flatMap(parseName)) {
    if (file.generation < generation) await rm(join(folder, file.name), { force: true });
  }
  return written;
}

function parseName(name: string): RecordFile[] {
  const match = NAME.exec(name);
  return match ? [{ kind: match[1] as RecordFile["kind"], generation: Number(match[2]), name }] : [];
}

function byGeneration(a: RecordFile, b: RecordFile): number {
  return a.generation - b.generation;
}
