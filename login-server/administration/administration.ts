/** What those who run the network can see and do. Every change is in the audit log, in the transaction that makes it. */
import type { Kysely } from "kysely";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { Handle } from "../../protocol/identifiers.ts";
import { appLink, webLink } from "../../protocol/invitation.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Devices } from "../accounts/devices.ts";
import type { Invitations } from "../accounts/invitations.ts";
import type { Sessions } from "../accounts/sessions.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import type { EnrolmentTokens } from "../supernodes/enrolment-tokens.ts";
import type { SupernodeRegister } from "../supernodes/supernode-register.ts";
import { putOut } from "../supernodes/supernode-removal.ts";
import type { ADMIN_API, InvitationDraft } from "./admin-api.ts";
import type { AuditLog } from "./audit-log.ts";

const DAY_MS = 24 * 3_600_000;
const RESET_DAYS = 7;
const MB = 1024 * 1024;

export type IssuedLink = z.infer<typeof ADMIN_API.invite.output>;

interface AdministrationParts {
  readonly db: Kysely<Schema>;
  readonly accounts: Accounts;
  readonly devices: Devices;
  readonly invitations: Invitations;
  readonly sessions: Sessions;
  readonly register: SupernodeRegister;
  readonly tokens: EnrolmentTokens;
  readonly audit: AuditLog;
  readonly authority: Pick<CertificateAuthority, "networkId" | "fingerprint">;
  readonly publicUrl: () => string;
  readonly startedAt: number;
  now(): number;
}

/** Who does it, as the audit log names them, and what an invitation says it was made by. */
export interface Actor {
  readonly name: string;
  /** A user ID, or `host`. */
  readonly id: string;
}
export const HOST: Actor = { name: "host", id: "host" };

export class Administration {
  readonly #parts: AdministrationParts;

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
  }

  /**
   * The link is told once: the database has only a hash of its token.
   * @throws KithError `handle-taken` for a handle that somebody has, whose account would go: that is what a reset is for
   */
  async invite(draft: z.infer<typeof InvitationDraft>, actor: Actor): Promise<IssuedLink> {
    const { handle } = draft;
    return this.#parts.db.transaction().execute(async (transaction) => {
      const taken = handle && (await this.#parts.accounts.find(handle, transaction));
      if (taken) throw new KithError("handle-taken");
      return this.#invite(transaction, draft, actor);
    });
  }

  async #invite(
    transaction: Kysely<Schema>,
    draft: z.infer<typeof InvitationDraft>,
    actor: Actor,
  ): Promise<IssuedLink> {
    const { invitations, audit, authority, publicUrl } = this.#parts;
    const { invitationId, token, expiresAt } = await invitations.create(transaction, {
      role: draft.administrator ? "administrator" : "member",
      maxUses: draft.uses,
      validForMs: draft.days * DAY_MS,
      note: draft.note,
      createdBy: actor.id,
      ...(draft.handle === null ? {} : { forHandle: draft.handle }),
    });
    const details = `${draft.uses} uses, ${draft.days} days${draft.administrator ? ", administrator" : ""}`;
    await audit.add(transaction, { actor: actor.name, action: "invitation-made", subject: invitationId, details });
    const loginServer = publicUrl();
    const app = appLink(loginServer, token, authority.networkId, authority.fingerprint);
    return { invitationId, token, expiresAt, link: webLink(loginServer, token), appLink: app };
  }

  /** @throws KithError `no-such-user` */
  async reset(handle: Handle, actor: Actor): Promise<IssuedLink> {
    const { accounts, audit, db } = this.#parts;
    return db.transaction().execute(async (transaction) => {
      const { role } = await accounts.require(handle, transaction);
      const draft = { uses: 1, days: RESET_DAYS, note: "reset", administrator: role === "administrator", handle };
      const link = await this.#invite(transaction, draft, actor);
      await audit.add(transaction, { actor: actor.name, action: "account-reset", subject: handle });
      return link;
    });
  }

  /** @throws KithError `no-such-invitation` */
  async revokeInvitation(invitationId: string, actor: Actor): Promise<void> {
    const { invitations, audit, db } = this.#parts;
    await db.transaction().execute(async (transaction) => {
      await invitations.revoke(transaction, invitationId);
      await audit.add(transaction, { actor: actor.name, action: "invitation-revoked", subject: invitationId });
    });
  }

  /** @throws KithError `no-such-user` */
  async user(handle: Handle): Promise<z.infer<typeof ADMIN_API.user.output>> {
    const { accounts, devices, db, sessions } = this.#parts;
    const user = await accounts.require(handle);
    const list = await devices.list(user.userId);
    const row = await db
      .selectFrom("accounts")
      .select("recovery_set_at")
      .where("user_id", "=", user.userId)
      .executeTakeFirst();
    return {
      user,
      devices: list.map(({ deviceId, name, lastSeenAt }) => ({
        deviceId,
        name,
        lastSeenAt,
        connected: sessions.has({ userId: user.userId, deviceId }),
      })),
      hasRecoveryKey: typeof row?.recovery_set_at === "number",
    };
  }

  async supernodes(): Promise<z.infer<typeof ADMIN_API.supernodes.output>> {
    const rows = await this.#parts.db
      .selectFrom("supernodes")
      .select(["supernode_id", "host", "port", "issued_at", "expires_at"])
      .where("expires_at", ">", this.#parts.now())
      .orderBy("supernode_id")
      .execute();
    return {
      supernodes: rows.map((row) => ({
        supernodeId: row.supernode_id,
        host: row.host,
        port: row.port,
        issuedAt: row.issued_at,
        expiresAt: row.expires_at,
      })),
    };
  }

  /**
   * It is off the list, its certificates are revoked, and neither its key nor its token enrols anybody any more.
   * @returns the token for new supernodes where another one is needed now; it is told once
   * @throws KithError `no-such-supernode`
   */
  async removeSupernode(supernodeId: string, actor: Actor): Promise<{ enrolmentToken: string | null }> {
    const { db, audit, register, tokens, now } = this.#parts;
    const enrolmentToken = await db.transaction().execute(async (transaction) => {
      const { isOperators } = await putOut(transaction, supernodeId, now());
      await audit.add(transaction, { actor: actor.name, action: "supernode-removed", subject: supernodeId });
      return isOperators ? tokens.replace(transaction) : null;
    });
    register.changed();
    return { enrolmentToken };
  }

  /** Those that were given out before enrol nobody new any more. @returns the new one, told once */
  async replaceEnrolmentToken(actor: Actor): Promise<{ enrolmentToken: string }> {
    const { db, audit, tokens } = this.#parts;
    return db.transaction().execute(async (transaction) => {
      await audit.add(transaction, { actor: actor.name, action: "enrolment-token-replaced", subject: "" });
      return { enrolmentToken: await tokens.replace(transaction) };
    });
  }

  async statistics(): Promise<z.infer<typeof ADMIN_API.statistics.output>> {
    const { db, sessions, now, startedAt } = this.#parts;
    const standings = await db
      .selectFrom("accounts")
      .select(["standing", "role", (query) => query.fn.countAll<number>().as("accounts")])
      .groupBy(["standing", "role"])
      .execute();
    const count = (fits: (row: (typeof standings)[number]) => boolean) =>
      standings.filter(fits).reduce((sum, row) => sum + Number(row.accounts), 0);
    return {
      accounts: count(() => true),
      waiting: count(({ standing }) => standing === "waiting"),
      blocked: count(({ standing }) => standing === "blocked"),
      administrators: count(({ role }) => role === "administrator"),
      devices: await countOf(db, "devices"),
      connectedDevices: sessions.devices,
      connectedAccounts: sessions.accounts,
      invitations: await countOf(db, "invitations"),
      supernodes: (await this.supernodes()).supernodes.length,
      uptimeSeconds: Math.round((now() - startedAt) / 1_000),
      memoryMb: Math.round(process.memoryUsage.rss() / MB),
    };
  }
}

async function countOf(db: Kysely<Schema>, table: "devices" | "invitations"): Promise<number> {
  const { rows } = await db
    .selectFrom(table)
    .select((query) => query.fn.countAll<number>().as("rows"))
    .executeTakeFirstOrThrow();
  return Number(rows);
}
