/** What those who run the network did, and what happened to accounts by it: for them to read, never with a secret in it. */
import type { Kysely } from "kysely";
import type { Schema } from "../storage/schema.ts";
import { nextAuditSequence } from "../storage/serial.ts";

export type AuditAction =
  | "account-made"
  | "account-deleted"
  | "account-blocked"
  | "account-unblocked"
  | "account-approved"
  | "account-declined"
  | "account-reset"
  | "role-changed"
  | "password-changed"
  | "account-recovered"
  | "devices-signed-out"
  | "invitation-made"
  | "invitation-revoked"
  | "supernode-removed"
  | "enrolment-token-replaced"
  | "network-key-changed";

export interface AuditEntry {
  /** `host` for the command line, `self` for the account itself, else an administrator's handle. */
  readonly actor: string;
  readonly action: AuditAction;
  readonly subject: string;
  readonly details?: string;
}

export class AuditLog {
  readonly #db: Kysely<Schema>;
  readonly #now: () => number;

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** @param db the transaction of what is being recorded, so that neither is there without the other */
  async add(db: Kysely<Schema>, entry: AuditEntry): Promise<void> {
    const sequence = await nextAuditSequence(db);
    const { actor, action, subject, details = "" } = entry;
    await db.insertInto("audit_log").values({ sequence, at: this.#now(), actor, action, subject, details }).execute();
  }

  /** The newest entries, newest first. */
  async latest(limit: number): Promise<Schema["audit_log"][]> {
    return this.#db.selectFrom("audit_log").selectAll().orderBy("sequence", "desc").limit(limit).execute();
  }

  /** A deleted account leaves no name behind. */
  async forget(db: Kysely<Schema>, handle: string): Promise<void> {
    await db.updateTable("audit_log").set({ subject: "" }).where("subject", "=", handle).execute();
    await db.updateTable("audit_log").set({ actor: "" }).where("actor", "=", handle).execute();
  }
}
