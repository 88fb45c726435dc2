/** Certificates that were taken back before they expired, and the signed list of them that supernodes carry. */
import type { Kysely } from "kysely";
import { toHex } from "../../protocol/bytes.ts";
import type { DeviceId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { treeKeyOf } from "../../protocol/key-tree.ts";
import { decodeRevocationList, MAX_REVOCATIONS } from "../../protocol/revocations.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";

interface RevocationsParts {
  readonly db: Kysely<Schema>;
  readonly authority: Pick<CertificateAuthority, "signRevocations" | "isOfFormerKey">;
  now(): number;
}

/**
 * Takes back every certificate that the account's devices ever had: one that was renewed is good until it expires.
 * @param db the transaction in which they are signed out
 */
export async function revokeDevices(db: Kysely<Schema>, userId: UserId, deviceIds: readonly DeviceId[]): Promise<void> {
  if (deviceIds.length === 0) return;
  const account = await db.selectFrom("accounts").select("handle").where("user_id", "=", userId).executeTakeFirst();
  if (!account) return;
  // Devices choose their IDs, and buddies know them: only those under this handle are the account's.
  const rows = await db
    .selectFrom("key_log_entries")
    .select(["serial", "expires_at"])
    .where("device_id", "in", deviceIds)
    .where("tree_key", "=", toHex(treeKeyOf(account.handle)))
    .execute();
  await revoke(db, rows);
}

/**
 * Takes back every certificate of a supernode that has not run out.
 * @param db the transaction in which it is removed
 */
export async function revokeSupernode(db: Kysely<Schema>, supernodeId: SupernodeId, now: number): Promise<void> {
  const rows = await db
    .deleteFrom("supernode_certificates")
    .where("supernode_id", "=", supernodeId)
    .returning(["serial", "expires_at"])
    .execute();
  await revoke(
    db,
    rows.filter(({ expires_at }) => expires_at > now),
  );
}

async function revoke(db: Kysely<Schema>, rows: readonly Schema["revocations"][]): Promise<void> {
  if (rows.length === 0) return;
  await db
    .insertInto("revocations")
    .values(rows)
    .onConflict((conflict) => conflict.column("serial").doNothing())
    .execute();
  await db.updateTable("revocation_list").set({ outdated: 1 }).execute();
}

export class Revocations {
  readonly #parts: RevocationsParts;

  constructor(parts: RevocationsParts) {
    this.#parts = parts;
  }

  /** The list as it holds now, signed anew if something was revoked since. */
  async current(): Promise<Uint8Array> {
    const row = await this.#parts.db.selectFrom("revocation_list").selectAll().executeTakeFirstOrThrow();
    if (row.outdated === 1) return this.#sign();
    const list = new Uint8Array(row.list);
    return this.#parts.authority.isOfFormerKey(decodeRevocationList(list).value.issuedAt) ? this.#sign() : list;
  }

  #sign(): Promise<Uint8Array> {
    const { db, authority, now } = this.#parts;
    return db.transaction().execute(async (transaction) => {
      const { revision } = await transaction
        .updateTable("revocation_list")
        .set((row) => ({ revision: row("revision", "+", 1) }))
        .returning("revision")
        .executeTakeFirstOrThrow();
      await transaction.deleteFrom("revocations").where("expires_at", "<=", now()).execute();
      // Beyond what a list may have, those go first that expire first: they do the least harm.
      const rows = await transaction
        .selectFrom("revocations")
        .select("serial")
        .orderBy("expires_at", "desc")
        .limit(MAX_REVOCATIONS)
        .execute();
      const serials = rows.map(({ serial }) => serial).sort((a, b) => a - b);
      const list = authority.signRevocations({ revision, issuedAt: now(), serials });
      await transaction.updateTable("revocation_list").set({ list, outdated: 0 }).execute();
      return list;
    });
  }
}
