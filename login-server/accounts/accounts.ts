/** Accounts after they were made: whether they may come in, who runs the network, and how they end. */
import type { Kysely, Transaction } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, Handle, UserId } from "../../protocol/identifiers.ts";
import type { AuditAction, AuditLog } from "../administration/audit-log.ts";
import { lockList, nextRevision } from "../buddies/list-revisions.ts";
import { revokeDevices } from "../key-log/revocations.ts";
import type { AccountRole, AccountStanding, Schema } from "../storage/schema.ts";
import { claimOf } from "./handle-skeleton.ts";

/** Who has to be told once the change is stored. */
export interface Departure {
  /** Devices whose sessions end. */
  readonly signedOut: readonly DeviceAddress[];
  /** Whose buddy list is another one now. */
  readonly listsChanged: readonly UserId[];
  /** An account was deleted: nothing of it may stay in the files either. */
  readonly isErasure: boolean;
}

export interface AccountRow {
  readonly userId: UserId;
  readonly handle: Handle;
  readonly role: AccountRole;
  readonly standing: AccountStanding;
  readonly createdAt: number;
}

export const NO_DEPARTURE: Departure = { signedOut: [], listsChanged: [], isErasure: false };

interface AccountsParts {
  readonly db: Kysely<Schema>;
  readonly audit: AuditLog;
  /** Told after every change that ends sessions or touches lists. */
  departed(departure: Departure): Promise<void>;
}

/** @throws KithError `approval-pending`, `account-blocked` */
export function requireActive(standing: AccountStanding): void {
  if (standing === "waiting") throw new KithError("approval-pending");
  if (standing === "blocked") throw new KithError("account-blocked");
}

export class Accounts {
  readonly #parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /** @param standing only those; null: all. By handle. */
  async list(standing: AccountStanding | null, after: string, limit: number): Promise<AccountRow[]> {
    const query = accountRows(this.#parts.db).where("handle", ">", after as Handle);
    return (standing === null ? query : query.where("standing", "=", standing))
      .orderBy("handle")
      .limit(limit)
      .execute();
  }

  /** @throws KithError `no-such-user` */
  async require(handle: Handle, db: Kysely<Schema> = this.#parts.db): Promise<AccountRow> {
    const row = await this.find(handle, db);
    if (!row) throw new KithError("no-such-user", { handle });
    return row;
  }

  async find(handle: Handle, db: Kysely<Schema>): Promise<AccountRow | undefined> {
    return accountRows(db).where("handle", "=", handle).executeTakeFirst();
  }

  /** The handle of an administrator; null for everybody else. */
  async administrator(userId: UserId): Promise<Handle | null> {
    const row = await accountRows(this.#parts.db).where("user_id", "=", userId).executeTakeFirst();
    return row?.role === "administrator" && row.standing === "active" ? row.handle : null;
  }

  /** Its devices are signed out, and it cannot sign in. @throws KithError `no-such-user` */
  async block(handle: Handle, actor: string): Promise<void> {
    await this.#change(handle, { actor, action: "account-blocked" }, async (transaction, { userId }) => {
      await transaction.updateTable("accounts").set({ standing: "blocked" }).where("user_id", "=", userId).execute();
      return { ...NO_DEPARTURE, signedOut: await forgetDevices(transaction, userId) };
    });
  }

  /** @throws KithError `no-such-user` */
  async unblock(handle: Handle, actor: string): Promise<void> {
    await this.#stand(handle, { actor, action: "account-unblocked" }, "blocked");
  }

  /** Lets in who waits. @throws KithError `no-such-user` */
  async approve(handle: Handle, actor: string): Promise<void> {
    await this.#stand(handle, { actor, action: "account-approved" }, "waiting");
  }

  /** The account of who waits is removed, and its handle is free again. @throws KithError `no-such-user` */
  async decline(handle: Handle, actor: string): Promise<void> {
    await this.#change(handle, { actor, action: "account-declined" }, async (transaction, account) => {
      if (account.standing !== "waiting") throw new KithError("no-such-user", { handle });
      const departure = await remove(transaction, account);
      await freeClaim(transaction, handle);
      return departure;
    });
  }

  /** @throws KithError `no-such-user` */
  async setRole(handle: Handle, role: AccountRole, actor: string): Promise<void> {
    await this.#change(handle, { actor, action: "role-changed", details: role }, async (transaction, { userId }) => {
      await transaction.updateTable("accounts").set({ role }).where("user_id", "=", userId).execute();
      return NO_DEPARTURE;
    });
  }

  /** @throws KithError `no-such-user` */
  async signOutAll(handle: Handle, actor: string): Promise<void> {
    await this.#change(handle, { actor, action: "devices-signed-out" }, async (transaction, { userId }) => ({
      ...NO_DEPARTURE,
      signedOut: await forgetDevices(transaction, userId),
    }));
  }

  /**
   * Nothing of the account stays but a hash of its handle, so that nobody else can take its name.
   * @param owner whose it must be: the handle may have been given to somebody else a moment ago; null: whoever has it
   * @throws KithError `no-such-user`
   */
  async delete(handle: Handle, actor: string, owner: UserId | null = null): Promise<void> {
    const { db, audit, departed } = this.#parts;
    const departure = await db.transaction().execute(async (transaction) => {
      const account = await this.require(handle, transaction);
      if (owner !== null && account.userId !== owner) throw new KithError("no-such-user", { handle });
      await audit.forget(transaction, handle);
      await audit.add(transaction, { actor, action: "account-deleted", subject: "" });
      return remove(transaction, account);
    });
    await departed(departure);
  }

  /**
   * Makes room for a new account under a handle that whoever runs the network gives anew.
   * @param givenAt what was made later is not what they meant
   * @throws KithError `handle-taken`
   */
  async replace(transaction: Transaction<Schema>, handle: Handle, givenAt: number): Promise<Departure> {
    const account = await this.find(handle, transaction);
    if (account && account.createdAt > givenAt) throw new KithError("handle-taken");
    const departure = account ? await remove(transaction, account) : NO_DEPARTURE;
    await freeClaim(transaction, handle);
    return departure;
  }

  #stand(handle: Handle, entry: { actor: string; action: AuditAction }, from: AccountStanding): Promise<void> {
    return this.#change(handle, entry, async (transaction, { userId }) => {
      const query = transaction.updateTable("accounts").set({ standing: "active" }).where("user_id", "=", userId);
      await query.where("standing", "=", from).execute();
      return NO_DEPARTURE;
    });
  }

  async #change(
    handle: Handle,
    entry: { readonly actor: string; readonly action: AuditAction; readonly details?: string },
    change: (transaction: Transaction<Schema>, account: AccountRow) => Promise<Departure>,
  ): Promise<void> {
    const { db, audit, departed } = this.#parts;
    const departure = await db.transaction().execute(async (transaction) => {
      const account = await this.require(handle, transaction);
      await audit.add(transaction, { ...entry, subject: handle });
      return change(transaction, account);
    });
    await departed(departure);
  }
}

function accountRows(db: Kysely<Schema>) {
  return db
    .selectFrom("accounts")
    .select(["user_id as userId", "handle", "role", "standing", "created_at as createdAt"]);
}

/** The account and all that hangs on it; its buddies' lists say that they are buddies no longer. */
async function remove(transaction: Transaction<Schema>, { userId, handle }: AccountRow): Promise<Departure> {
  // A line that somebody adds meanwhile would go without a word to its owner.
  await lockList(transaction, userId);
  const lines = await transaction
    .selectFrom("buddy_lines")
    .select("owner_id")
    .where("peer_id", "=", userId)
    .orderBy("owner_id")
    .execute();
  for (const { owner_id } of lines) {
    const revision = await nextRevision(transaction, owner_id);
    await transaction
      .insertInto("departed_buddies")
      .values({ owner_id, peer_id: userId, revision })
      .onConflict((conflict) => conflict.columns(["owner_id", "peer_id"]).doUpdateSet({ revision }))
      .execute();
  }
  await transaction
    .deleteFrom("invitations")
    .where((row) => row.or([row("created_by", "=", userId), row("for_handle", "=", handle)]))
    .execute();
  const signedOut = await forgetDevices(transaction, userId);
  await transaction.deleteFrom("accounts").where("user_id", "=", userId).execute();
  return { signedOut, listsChanged: lines.map(({ owner_id }) => owner_id), isErasure: true };
}

async function forgetDevices(transaction: Kysely<Schema>, userId: UserId): Promise<DeviceAddress[]> {
  const rows = await transaction.deleteFrom("devices").where("user_id", "=", userId).returning("device_id").execute();
  const deviceIds = rows.map(({ device_id }) => device_id);
  await revokeDevices(transaction, userId, deviceIds);
  return deviceIds.map((deviceId) => ({ userId, deviceId }));
}

/** Only a claim that nobody holds any more. */
async function freeClaim(transaction: Kysely<Schema>, handle: Handle): Promise<void> {
  await transaction
    .deleteFrom("handle_claims")
    .where("claim", "=", claimOf(handle))
    .where("user_id", "is", null)
    .execute();
}
