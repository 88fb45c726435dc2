/** The signed supernode list: made again when an entry joins, changes, expires or falls silent, and before it grows old. */
import type { Kysely } from "kysely";
import { LIMITS } from "../../protocol/limits.ts";
import { decodeSupernodeList } from "../../protocol/supernode-list.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import { byStanding, silentAt } from "./supernode-reports.ts";

/** A list is valid for 30 days; one signed each day leaves a server that is down plenty of time. */
const LIST_RENEWAL_MS = 24 * 3_600_000;
/** How often it is looked whether an entry has expired. */
const EXPIRY_CHECK_MS = 60_000;
/** When a whole cluster starts, the sessions hear of it once. */
const ANNOUNCE_DELAY_MS = 250;

interface SupernodeRegisterParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  now(): number;
  /** Told of each new list, and whether it was made here. */
  published(revision: number, madeHere: boolean): void;
  fault(error: unknown): void;
}

interface PublishedList {
  readonly revision: number;
  readonly bytes: Uint8Array;
  readonly issuedAt: number;
  /** When it must be made again: its own age, or its first entry that expires. */
  readonly staleAt: number;
}

export class SupernodeRegister {
  readonly #parts: SupernodeRegisterParts;
  readonly #expiryCheck: NodeJS.Timeout;
  readonly #listeningSince: number;
  #announcement: NodeJS.Timeout | null = null;
  #latest: PublishedList | null = null;
  #knowsNewest = false;
  /** Counts what the list must show; the latest list shows everything up to `#shown`. */
  #changes = 0;
  #shown = 0;
  /** Lists are made one after the other, so that revisions go out in their order. */
  #making: Promise<unknown> = Promise.resolve();

  constructor(parts: SupernodeRegisterParts) {
    this.#parts = parts;
    this.#listeningSince = parts.now();
    this.#expiryCheck = setInterval(() => this.#refresh(), EXPIRY_CHECK_MS).unref();
  }

  /** A supernode has joined or changed: the next list shows it, and sessions hear of that list soon. */
  changed(): void {
    this.#changes++;
    this.#announcement ??= setTimeout(() => {
      this.#announcement = null;
      this.#refresh();
    }, ANNOUNCE_DELAY_MS);
  }

  /** Another instance may have made a newer list. */
  lookAgain(): void {
    this.#knowsNewest = false;
    this.#refresh();
  }

  /** The list as it holds now, signed anew if that is due. */
  current(): Promise<PublishedList> {
    const current = this.#making.then(() => this.#currentList());
    this.#making = current.catch(() => undefined);
    return current;
  }

  close(): void {
    clearInterval(this.#expiryCheck);
    if (this.#announcement) clearTimeout(this.#announcement);
  }

  #refresh(): void {
    this.current().catch((error: unknown) => this.#parts.fault(error));
  }

  async #currentList(): Promise<PublishedList> {
    if (!this.#knowsNewest) await this.#lookUp();
    const { authority, now } = this.#parts;
    const latest = this.#latest;
    const isFresh = latest && now() < latest.staleAt && !authority.isOfFormerKey(latest.issuedAt);
    if (isFresh && !authority.isOfTheFuture(latest.issuedAt) && this.#shown === this.#changes) return latest;
    const shown = this.#changes;
    this.#latest = await this.#make();
    this.#shown = shown;
    this.#parts.published(this.#latest.revision, true);
    return this.#latest;
  }

  async #lookUp(): Promise<void> {
    const known = this.#latest;
    this.#latest = await this.#load();
    this.#knowsNewest = true;
    if (known && this.#latest && this.#latest.revision > known.revision) {
      this.#parts.published(this.#latest.revision, false);
    }
  }

  async #load(): Promise<PublishedList | null> {
    const row = await this.#parts.db.selectFrom("supernode_list").selectAll().executeTakeFirstOrThrow();
    if (row.outdated === 1) return null;
    const { value } = decodeSupernodeList(row.list);
    const expiries = value.supernodes.map((entry) => entry.value.expiresAt);
    const { issuedAt } = value;
    return { revision: row.revision, bytes: row.list, issuedAt, staleAt: staleAt(issuedAt, expiries) };
  }

  async #make(): Promise<PublishedList> {
    const { db, authority, now } = this.#parts;
    return db.transaction().execute(async (transaction) => {
      const { revision } = await transaction
        .updateTable("supernode_list")
        .set((row) => ({ revision: row("revision", "+", 1) }))
        .returning("revision")
        .executeTakeFirstOrThrow();
      const rows = await transaction
        .selectFrom("supernodes")
        .select(["supernode_id", "certificate", "expires_at", "listed_until", "heard_at", "up_since", "room"])
        .where("expires_at", ">", now())
        .where((row) => row.or([row("listed_until", "is", null), row("listed_until", ">", now())]))
        .execute();
      const listed = rows
        .filter((row) => silentAt(row, this.#listeningSince) > now())
        .sort(byStanding)
        .slice(0, LIMITS.maxSupernodes);
      const supernodes = listed.map((row) => ({ bytes: row.certificate }));
      const signed = authority.signList({ revision, supernodes });
      await transaction.updateTable("supernode_list").set({ list: signed.bytes, outdated: 0 }).execute();
      const expiries = listed.map((row) =>
        Math.min(row.expires_at, row.listed_until ?? row.expires_at, silentAt(row, this.#listeningSince)),
      );
      const { bytes, issuedAt } = signed;
      return { revision, bytes, issuedAt, staleAt: staleAt(issuedAt, expiries) };
    });
  }
}

function staleAt(issuedAt: number, expiries: readonly number[]): number {
  return Math.min(issuedAt + LIST_RENEWAL_MS, ...expiries);
}
