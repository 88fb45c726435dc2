/** What the key log has shown to be wrong: kept until the user says that they have seen it, over every restart. */
import { KithError } from "../../protocol/errors.ts";
import type { KeyAlert } from "../../protocol/ipc-schema.ts";
import type { Db } from "../storage/database-schema.ts";

export type KeyAlertCode =
  | "key-log-forked"
  | "key-log-broken"
  | "key-log-second-key"
  | "key-log-buddy-replaced"
  | "key-log-unlisted-key"
  | "network-key-forked";

export class KeyAlerts {
  readonly #db: Db;
  readonly #changed: () => void;
  #open: KeyAlert[] = [];

  /** @param changed told when another set of alerts stands */
  constructor(db: Db, changed: () => void) {
    this.#db = db;
    this.#changed = changed;
  }

  async load(): Promise<void> {
    const rows = await this.#db
      .selectFrom("key_alerts")
      .selectAll()
      .where("seen", "=", 0)
      .orderBy("alert_id")
      .execute();
    this.#open = rows.map(({ alert_id, code, message }) => ({ alertId: alert_id, code, message }));
  }

  /** Those that the user has not seen to. */
  get open(): readonly KeyAlert[] {
    return this.#open;
  }

  /**
   * Once for each matter, however often it is noticed.
   * @param subject tells matters of one kind apart
   */
  async raise(code: KeyAlertCode, details: Readonly<Record<string, string>>, subject = ""): Promise<void> {
    const { message } = new KithError(code, details);
    const row = await this.#db
      .insertInto("key_alerts")
      .values({ code, subject, message, seen: 0 })
      .onConflict((conflict) => conflict.columns(["code", "subject"]).doNothing())
      .returning("alert_id")
      .executeTakeFirst();
    if (!row) return;
    this.#open = [...this.#open, { alertId: row.alert_id, code, message }];
    this.#changed();
  }

  /** The user has seen it. */
  async dismiss(alertId: number): Promise<void> {
    await this.#db.updateTable("key_alerts").set({ seen: 1 }).where("alert_id", "=", alertId).execute();
    this.#open = this.#open.filter((alert) => alert.alertId !== alertId);
    this.#changed();
  }
}
