/**
 * Looks into the database for what news should have told: changes by an instance that died
 * before it could tell, or while Redis was away.
 */
import type { Kysely } from "kysely";
import type { UserId } from "../../protocol/identifiers.ts";
import type { Sessions } from "../accounts/sessions.ts";
import type { Schema } from "../storage/schema.ts";

/** How late a change may reach a device when no news of it came. */
export const CATCH_UP_INTERVAL_MS = 10_000;
/** Accounts of one query. */
const BATCH = 500;

interface CatchUpParts {
  readonly db: Kysely<Schema>;
  readonly sessions: Sessions;
  /** Makes sure that the supernode list and the network's keys are the newest. */
  refreshNetwork(): void;
  readonly intervalMs: number;
  fault(error: unknown): void;
}

export class CatchUp {
  readonly #parts: CatchUpParts;
  readonly #timer: NodeJS.Timeout;
  /** One look follows the other. */
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: CatchUpParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.everything(), parts.intervalMs).unref();
  }

  everything(): void {
    this.#parts.refreshNetwork();
    this.#enqueue(() => this.#parts.sessions.online());
  }

  account(userId: UserId): void {
    this.#enqueue(() => (this.#parts.sessions.isOnline(userId) ? [userId] : []));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  #enqueue(whom: () => readonly UserId[]): void {
    this.#looking = this.#looking
      .then(async () => {
        const users = whom();
        for (let at = 0; at < users.length; at += BATCH) await this.#look(users.slice(at, at + BATCH));
      })
      .catch((error: unknown) => this.#parts.fault(error));
  }

  async #look(users: readonly UserId[]): Promise<void> {
    const { db, sessions } = this.#parts;
    const open = sessions.of(users);
    const accounts = await db
      .selectFrom("accounts")
      .select(["user_id", "buddy_revision"])
      .where("user_id", "in", users)
      .execute();
    const devices = await db
      .selectFrom("devices")
      .select(["user_id", "device_id"])
      .where("user_id", "in", users)
      .execute();
    for (const { user_id, buddy_revision } of accounts) sessions.reached(user_id, buddy_revision);
    const signedIn = new Set(devices.map(({ user_id, device_id }) => `${user_id} ${device_id}`));
    // Only those that were open before the question: the answer knows nothing of younger ones.
    for (const session of open) {
      const { userId, deviceId } = session.device;
      if (!signedIn.has(`${userId} ${deviceId}`)) sessions.signOutHere(session);
    }
  }
}
