/** What the user has chosen once and for all on this profile, whoever is signed in. */
import type { IpcMethods, Settings } from "../../protocol/ipc-schema.ts";
import type { Input } from "../../protocol/rpc.ts";
import type { Db } from "./database-schema.ts";
import type { PushListener } from "./pushes.ts";

const DEFAULTS: Settings = { hideAddress: false };

export class SettingsKeeper {
  readonly #db: Db;
  readonly #push: PushListener;
  #value: Settings;

  private constructor(db: Db, push: PushListener, value: Settings) {
    this.#db = db;
    this.#push = push;
    this.#value = value;
  }

  static async load(db: Db, push: PushListener): Promise<SettingsKeeper> {
    const row = await db.selectFrom("settings").select("value").where("key", "=", "hide-address").executeTakeFirst();
    const hideAddress = row === undefined ? DEFAULTS.hideAddress : row.value === "yes";
    return new SettingsKeeper(db, push, { hideAddress });
  }

  get value(): Settings {
    return this.#value;
  }

  /** Stored when this resolves. What is not named stays as it is. */
  async change({ hideAddress = this.#value.hideAddress }: Input<IpcMethods["setSettings"]>): Promise<void> {
    const value = hideAddress ? "yes" : "no";
    await this.#db
      .insertInto("settings")
      .values({ key: "hide-address", value })
      .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
      .execute();
    this.#value = { hideAddress };
    this.#push("settings", this.#value);
  }
}
