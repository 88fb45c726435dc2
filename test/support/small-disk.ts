/** A disk of a few megabytes that can be full: it exists for one process and its children, and is gone with them. */
import { chownSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @returns why there can be none, as a clause; null if there can */
export function whyNoSmallDisk(): string | null {
  if (process.platform !== "linux") return "a small disk is mounted on Linux only";
  return process.getuid?.() === 0 ? null : "only root can mount a small disk";
}

export class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), "kith-small-disk-"));
  readonly #megabytes: number;
  /** As the process sees it. */
  #inside = "";

  constructor(megabytes: number) {
    this.#megabytes = megabytes;
  }

  /** The command, in a mount namespace of its own where the disk is at `path`. */
  mounted(command: readonly string[]): string[] {
    const mount = `mount -t tmpfs -o size=${this.#megabytes}m,mode=0700 tmpfs "$0" && exec "$@"`;
    return ["unshare", "--mount", "sh", "-c", mount, this.path, ...command];
  }

  /** @param pid of the process that runs on it */
  giveTo(pid: number, owner: { readonly uid: number; readonly gid: number } | null): void {
    this.#inside = `/proc/${pid}/root${this.path}`;
    if (owner) chownSync(this.#inside, owner.uid, owner.gid);
  }

  /** Leaves no byte free. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.#inside);
    try {
      writeFileSync(join(this.#inside, "ballast"), Buffer.alloc(bavail * bsize));
    } catch (error) {
      // The process has written too, meanwhile: then it is full already.
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }

  free(): void {
    rmSync(join(this.#inside, "ballast"));
  }

  /** To be called once the process has ended. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
