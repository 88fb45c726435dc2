/** The signed supernode list: made again when an entry joins, changes or expires, and before it grows old. */
import type { Kysely } from "kysely";
import { decodeSupernodeCertificate } from "../protocol/certificate.ts";
import { LIMITS } from "../protocol/limits.ts";
import { decodeSupernodeList } from "../protocol/supernode-list.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import type { Schema } from "./storage/schema.ts";

/** A list is valid for 30 days; one signed each day leaves a server that is down plenty of time. */
const LIST_RENEWAL_MS = 24 * 3_600_000;

interface SupernodeRegisterParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  now(): number;
  /** Told when there is a new list. */
  published(revision: number): void;
}

interface PublishedList {
  readonly revision: number;
  readonly bytes: Uint8Array;
  /** When it must be made again: its own age, or its first entry that expires. */
  readonly staleAt: number;
}

export class SupernodeRegister {
  readonly #parts: SupernodeRegisterParts;
  #published: PublishedList | null = null;
  /** Lists are made one after the other, so that revisions go out in their order. */
  #publishing: Promise<PublishedList> | null = null;

  constructor(parts: SupernodeRegisterParts) {
    this.#parts = parts;
  }

  /** The list as it holds now, signed anew if that is due. */
  async current(): Promise<{ revision: number; bytes: Uint8Array }> {
    this.#published ??= await this.#load();
    const isStale = this.#published === null || this.#parts.now() >= this.#published.staleAt;
    return isStale || !this.#published ? this.publish() : this.#published;
  }

  /** Signs a new list of all supernodes whose certificates are valid. */
  async publish(): Promise<{ revision: number; bytes: Uint8Array }> {
    while (this.#publishing) await this.#publishing.catch(() => undefined);
    this.#publishing = this.#make();
    try {
      this.#published = await this.#publishing;
    } finally {
      this.#publishing = null;
    }
    this.#parts.published(this.#published.revision);
    return this.#published;
  }

  async #load(): Promise<PublishedList | null> {
    const row = await this.#parts.db.selectFrom("supernode_list").selectAll().executeTakeFirstOrThrow();
    if (row.revision === 0) return null;
    const { value } = decodeSupernodeList(row.list);
    const expiries = value.supernodes.map((entry) => entry.value.expiresAt);
    return { revision: row.revision, bytes: row.list, staleAt: staleAt(value.issuedAt, expiries) };
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
        .select(["certificate", "expires_at"])
        .where("expires_at", ">", now())
        .orderBy("supernode_id")
        .limit(LIMITS.maxSupernodes)
        .execute();
      const supernodes = rows.map((row) => decodeSupernodeCertificate(row.certificate));
      const signed = authority.signList({ revision, supernodes });
      await transaction.updateTable("supernode_list").set({ list: signed.bytes }).execute();
      const expiries = rows.map((row) => row.expires_at);
      return { revision, bytes: signed.bytes, staleAt: staleAt(signed.issuedAt, expiries) };
    });
  }
}

function staleAt(issuedAt: number, expiries: readonly number[]): number {
  return Math.min(issuedAt + LIST_RENEWAL_MS, ...expiries);
}
