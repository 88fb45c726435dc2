/**
 * Supernodes in members' desktop apps. A member gets tickets to enrol one with, at the
 * address that the server sees them at; each account has one supernode, whose ID stays the
 * same whatever keys it enrols with; and the list keeps it only while its app says so.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, DeviceId, UserId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { LOGIN_METHODS } from "../../protocol/login-api.ts";
import type { Output } from "../../protocol/rpc.ts";
import type { RateLimiter } from "../limits/rate-limiter.ts";
import type { Schema } from "../storage/schema.ts";

export interface DesktopSupernodesParts {
  readonly db: Kysely<Schema>;
  /** How many the list takes; 0: none. */
  readonly maximum: number;
  /** Tickets, per account. */
  readonly tickets: RateLimiter;
  /** The list has to be made again. */
  changed(): void;
  now(): number;
}

/** What a ticket is good for. */
export interface Ticket {
  readonly accountId: UserId;
  readonly deviceId: DeviceId;
  readonly host: string;
}

const TICKET_MS = 5 * 60_000;
const TICKET_BYTES = 24;

export class DesktopSupernodes {
  readonly #parts: DesktopSupernodesParts;

  constructor(parts: DesktopSupernodesParts) {
    this.#parts = parts;
  }

  /** @param host where the device is seen */
  async offer(device: DeviceAddress, host: string): Promise<Output<(typeof LOGIN_METHODS)["supernodeOffer"]>> {
    const { maximum, now } = this.#parts;
    if (maximum === 0 || (await this.#wasRemoved(device.userId))) return { kind: "not-wanted" };
    const listed = await this.#parts.db
      .selectFrom("supernodes")
      .select(["account_id", "device_id"])
      .where("account_id", "is not", null)
      .where("listed_until", ">", now())
      .where("expires_at", ">", now())
      .execute();
    const own = listed.find(({ account_id }) => account_id === device.userId);
    if (own) return own.device_id === device.deviceId ? { kind: "accepted", host } : { kind: "elsewhere" };
    return listed.length < maximum ? { kind: "accepted", host } : { kind: "not-wanted" };
  }

  async #wasRemoved(accountId: UserId): Promise<boolean> {
    const removed = this.#parts.db.selectFrom("removed_supernodes").select("removed_at");
    return (await removed.where("account_id", "=", accountId).executeTakeFirst()) !== undefined;
  }

  /** A ticket for one enrolment. @throws KithError `supernode-not-wanted`, `rate-limited` */
  async ticket(device: DeviceAddress, host: string): Promise<string> {
    const { db, tickets, now } = this.#parts;
    tickets.take(device.userId);
    if ((await this.offer(device, host)).kind !== "accepted") throw new KithError("supernode-not-wanted");
    const token = randomBytes(TICKET_BYTES).toString("base64url");
    await db.deleteFrom("enrolment_tickets").where("expires_at", "<=", now()).execute();
    await db
      .insertInto("enrolment_tickets")
      .values({
        token_hash: hashOf(token),
        account_id: device.userId,
        device_id: device.deviceId,
        host,
        expires_at: now() + TICKET_MS,
      })
      .execute();
    return token;
  }

  /** Uses a ticket up, whatever comes of it. @returns null if there is none, or no longer */
  async redeem(token: string): Promise<Ticket | null> {
    const row = await this.#parts.db
      .deleteFrom("enrolment_tickets")
      .where("token_hash", "=", hashOf(token))
      .returningAll()
      .executeTakeFirst();
    if (!row || row.expires_at <= this.#parts.now()) return null;
    return { accountId: row.account_id, deviceId: row.device_id, host: row.host };
  }

  /** Puts the device's supernode on the list for a while, or takes it off. @throws KithError `supernode-not-wanted` */
  async list(device: DeviceAddress, listed: boolean): Promise<void> {
    const { db, changed, now } = this.#parts;
    if (listed && (await this.offer(device, "")).kind !== "accepted") throw new KithError("supernode-not-wanted");
    const before = await db
      .selectFrom("supernodes")
      .select("listed_until")
      .where("account_id", "=", device.userId)
      .where("device_id", "=", device.deviceId)
      .executeTakeFirst();
    if (!before) return;
    const wasListed = (before.listed_until ?? 0) > now();
    await db.transaction().execute(async (transaction) => {
      await transaction
        .updateTable("supernodes")
        .set({ listed_until: listed ? now() + TIMES.desktopSupernodeListedMs : 0 })
        .where("account_id", "=", device.userId)
        .execute();
      if (wasListed !== listed) await transaction.updateTable("supernode_list").set({ outdated: 1 }).execute();
    });
    if (wasListed !== listed) changed();
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
