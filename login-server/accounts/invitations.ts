/** Invitations: who may come in although the network is not open to everybody. */
import { createHash, randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import type { Handle } from "../../protocol/identifiers.ts";
import { INVITATION_TOKEN_BYTES, InvitationToken } from "../../protocol/invitation.ts";
import type { AccountRole, Schema } from "../storage/schema.ts";

export interface InvitationDraft {
  readonly role: AccountRole;
  readonly maxUses: number;
  readonly validForMs: number;
  /** For whoever runs the network, to tell invitations apart. */
  readonly note: string;
  /** A user ID, or `host`. */
  readonly createdBy: string;
  readonly forHandle?: Handle;
}

export interface IssuedInvitation {
  readonly invitationId: string;
  /** Told once: the database has only its hash. */
  readonly token: InvitationToken;
  readonly expiresAt: number;
}

/** What an invitation gives to whoever holds it. */
export interface Grant {
  readonly invitationId: string;
  readonly role: AccountRole;
  readonly forHandle: Handle | null;
  /** When the invitation was made. */
  readonly madeAt: number;
}

export type InvitationRow = Omit<Schema["invitations"], "token_hash">;

const ID_BYTES = 4;

export class Invitations {
  readonly #db: Kysely<Schema>;
  readonly #now: () => number;

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  async create(transaction: Kysely<Schema>, draft: InvitationDraft): Promise<IssuedInvitation> {
    const token = InvitationToken.parse(randomBytes(INVITATION_TOKEN_BYTES).toString("base64url"));
    const invitationId = randomBytes(ID_BYTES).toString("hex");
    const now = this.#now();
    const expiresAt = now + draft.validForMs;
    await transaction
      .insertInto("invitations")
      .values({
        invitation_id: invitationId,
        token_hash: hashOf(token),
        role: draft.role,
        for_handle: draft.forHandle ?? null,
        max_uses: draft.maxUses,
        uses_left: draft.maxUses,
        note: draft.note,
        created_by: draft.createdBy,
        created_at: now,
        expires_at: expiresAt,
      })
      .execute();
    return { invitationId, token, expiresAt };
  }

  /**
   * What the token would give, without using it.
   * @throws KithError `invitation-invalid`
   */
  async check(token: InvitationToken): Promise<Grant> {
    const row = await this.#db
      .selectFrom("invitations")
      .select(["invitation_id", "role", "for_handle", "created_at"])
      .where("token_hash", "=", hashOf(token))
      .where("uses_left", ">", 0)
      .where("expires_at", ">", this.#now())
      .executeTakeFirst();
    return grantOf(row);
  }

  /**
   * Uses it once. In one statement, so that of those who use the last one at once exactly
   * one gets in; undone with the transaction that it stands in.
   * @throws KithError `invitation-invalid`
   */
  async use(transaction: Kysely<Schema>, token: InvitationToken): Promise<Grant> {
    const row = await transaction
      .updateTable("invitations")
      .set((invitation) => ({ uses_left: invitation("uses_left", "-", 1) }))
      .where("token_hash", "=", hashOf(token))
      .where("uses_left", ">", 0)
      .where("expires_at", ">", this.#now())
      .returning(["invitation_id", "role", "for_handle", "created_at"])
      .executeTakeFirst();
    return grantOf(row);
  }

  /** Newest first; those that can no longer be used too, until they are revoked. */
  async list(): Promise<InvitationRow[]> {
    return this.#db
      .selectFrom("invitations")
      .select([
        "invitation_id",
        "role",
        "for_handle",
        "max_uses",
        "uses_left",
        "note",
        "created_by",
        "created_at",
        "expires_at",
      ])
      .orderBy("created_at", "desc")
      .orderBy("invitation_id")
      .execute();
  }

  /** @throws KithError `no-such-invitation` */
  async revoke(transaction: Kysely<Schema>, invitationId: string): Promise<void> {
    const gone = await transaction
      .deleteFrom("invitations")
      .where("invitation_id", "=", invitationId)
      .returning("invitation_id")
      .executeTakeFirst();
    if (!gone) throw new KithError("no-such-invitation", { invitation: invitationId });
  }
}

function grantOf(row: Pick<InvitationRow, "invitation_id" | "role" | "for_handle" | "created_at"> | undefined): Grant {
  if (!row) throw new KithError("invitation-invalid");
  return { invitationId: row.invitation_id, role: row.role, forHandle: row.for_handle, madeAt: row.created_at };
}

/** The tokens are 192 random bits: a plain hash cannot be guessed backwards. */
function hashOf(token: InvitationToken): string {
  return createHash("sha256").update(token).digest("hex");
}
