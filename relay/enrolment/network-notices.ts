/**
 * What the login server says to the whole network and supernodes carry: the newest head of
 * the key log and the revocation list. Signed by the network key, so that whoever brings them
 * does not matter. A second head of the same epoch is a lie of the login server's: it is kept
 * and passed on beside the first one, so that everybody's app finds out.
 */
import type { Logger } from "pino";
import { equalBytes } from "../../protocol/bytes.ts";
import { type KeyLogHead, trustKeyLogHead } from "../../protocol/key-log.ts";
import { isRetired } from "../../protocol/network-key-chain.ts";
import { type RevocationList, trustRevocationList } from "../../protocol/revocations.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { DataFolder } from "../data-folder.ts";

/** Empty where there is none. */
export interface Notices {
  readonly keyLogHead: Uint8Array;
  readonly revocations: Uint8Array;
}

/** As the login server says them: the network's keys too, which NetworkTrust looks after. */
export interface FetchedNotices extends Notices {
  readonly successions: Uint8Array;
}

export type NoticeChange = "key-log-head" | "revocations";

const HEAD_FILE = "key-log-head";
const REVOCATIONS_FILE = "revocations";
const NOTHING = new Uint8Array();

export interface NetworkNoticesParts {
  readonly anchor: TrustAnchor;
  readonly folder: Pick<DataFolder, "read" | "write">;
  readonly log: Logger;
}

export class NetworkNotices {
  readonly #parts: NetworkNoticesParts;
  readonly #listeners: ((change: NoticeChange) => void)[] = [];
  /** The newest, and another one of the same epoch if there is one. */
  #heads: readonly Signed<KeyLogHead>[] = [];
  #revocations: Signed<RevocationList> | null = null;
  #revoked: ReadonlySet<number> = new Set();

  /** Begins with what was known when the supernode last ran. */
  constructor(parts: NetworkNoticesParts) {
    this.#parts = parts;
    for (const [name, take] of [
      [HEAD_FILE, (bytes: Uint8Array) => this.#takeHead(bytes)],
      [REVOCATIONS_FILE, (bytes: Uint8Array) => this.#takeRevocations(bytes)],
    ] as const) {
      try {
        take(parts.folder.read(name) ?? NOTHING);
      } catch (error) {
        parts.log.warn({ err: error, file: name }, "a kept notice does not hold: the network has it");
      }
    }
  }

  /** Told after each change. */
  onChange(listener: (change: NoticeChange) => void): void {
    this.#listeners.push(listener);
  }

  /** The newest heads: one, or two that contradict each other. */
  get heads(): readonly Uint8Array[] {
    return this.#heads.map(({ bytes }) => bytes);
  }

  get newest(): Notices {
    return { keyLogHead: this.#heads[0]?.bytes ?? NOTHING, revocations: this.#revocations?.bytes ?? NOTHING };
  }

  /** Whether the network takes back the certificate of this serial. */
  isRevoked(serial: number): boolean {
    return this.#revoked.has(serial);
  }

  /** Whether a certificate that was checked before is believed no longer: taken back, or of a key that is over. */
  isOver({ serial, issuedAt }: { readonly serial: number; readonly issuedAt: number }): boolean {
    const { keys, now } = this.#parts.anchor;
    return this.isRevoked(serial) || isRetired(keys, issuedAt, now());
  }

  /**
   * @returns whether something was news
   * @throws KithError `malformed`, `too-large`, `signature-invalid`
   */
  take({ keyLogHead, revocations }: Notices): boolean {
    const { folder } = this.#parts;
    const changes: NoticeChange[] = [];
    if (this.#takeHead(keyLogHead)) {
      changes.push("key-log-head");
      folder.write(HEAD_FILE, this.newest.keyLogHead);
    }
    if (this.#takeRevocations(revocations)) {
      changes.push("revocations");
      folder.write(REVOCATIONS_FILE, revocations);
    }
    for (const change of changes) for (const listener of this.#listeners) listener(change);
    return changes.length > 0;
  }

  #takeHead(bytes: Uint8Array): boolean {
    if (bytes.length === 0 || this.#heads.some((known) => equalBytes(known.bytes, bytes))) return false;
    const head = trustKeyLogHead(this.#parts.anchor, Uint8Array.from(bytes));
    const newest = this.#heads[0]?.value.epoch ?? 0;
    if (head.value.epoch < newest) return false;
    if (head.value.epoch > newest) {
      this.#heads = [head];
      return true;
    }
    if (this.#heads.some((known) => equalBytes(known.body, head.body)) || this.#heads.length > 1) return false;
    this.#parts.log.error({ epoch: newest }, "the login server has signed two key logs that contradict each other");
    this.#heads = [...this.#heads, head];
    return true;
  }

  #takeRevocations(bytes: Uint8Array): boolean {
    if (bytes.length === 0 || (this.#revocations && equalBytes(this.#revocations.bytes, bytes))) return false;
    const list = trustRevocationList(this.#parts.anchor, Uint8Array.from(bytes));
    if (this.#revocations && list.value.revision <= this.#revocations.value.revision) return false;
    this.#revocations = list;
    this.#revoked = new Set(list.value.serials);
    return true;
  }
}
