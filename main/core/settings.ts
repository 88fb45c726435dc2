/** What the user has chosen once and for all on this profile, whoever is signed in. */
import { type IpcMethods, Settings } from "../../protocol/ipc-schema.ts";
import type { Input } from "../../protocol/rpc.ts";
import type { Db, SettingKey } from "../storage/database-schema.ts";
import type { PushListener } from "./pushes.ts";

const DEFAULTS: Settings = {
  hideAddress: false,
  beSupernode: false,
  supernodeMbit: 4,
  supernodeMonthGb: 20,
  supernodePort: 0,
};

/** How each setting is written into its row. */
const ROWS: { readonly [K in keyof Settings]: { readonly key: SettingKey } & Written<Settings[K]> } = {
  hideAddress: { key: "hide-address", ...yesOrNo() },
  beSupernode: { key: "be-supernode", ...yesOrNo() },
  supernodeMbit: { key: "supernode-mbit", ...decimal() },
  supernodeMonthGb: { key: "supernode-month-gb", ...decimal() },
  supernodePort: { key: "supernode-port", ...decimal() },
};

interface Written<T> {
  read(text: string): T;
  write(value: T): string;
}

function yesOrNo(): Written<boolean> {
  return { read: (text) => text === "yes", write: (value) => (value ? "yes" : "no") };
}

function decimal(): Written<number> {
  return { read: Number, write: String };
}

export class SettingsKeeper {
  readonly #db: Db;
  readonly #push: PushListener;
  #value: Settings;

  private constructor(db: Db, push: PushListener, value: Settings) {
    this.#db = db;
    this.#push = push;
    this.#value = value;
  }

  /** A row that makes no sense, written by hand or by another version, is as good as none. */
  static async load(db: Db, push: PushListener): Promise<SettingsKeeper> {
    const rows = await db.selectFrom("settings").select(["key", "value"]).execute();
    const texts = new Map<string, string>(rows.map(({ key, value }) => [key, value]));
    const stored = Object.entries(ROWS).flatMap(([name, { key, read }]) => {
      const text = texts.get(key);
      return text === undefined ? [] : [[name, read(text)]];
    });
    const settings = Settings.safeParse({ ...DEFAULTS, ...Object.fromEntries(stored) });
    return new SettingsKeeper(db, push, settings.success ? settings.data : DEFAULTS);
  }

  get value(): Settings {
    return this.#value;
  }

  /** Stored when this resolves. What is not named stays as it is. */
  async change(changes: Input<IpcMethods["setSettings"]>): Promise<void> {
    const next = Settings.parse({ ...this.#value, ...changes });
    const rows = [
      row("hideAddress", next),
      row("beSupernode", next),
      row("supernodeMbit", next),
      row("supernodeMonthGb", next),
      row("supernodePort", next),
    ];
    await this.#db
      .insertInto("settings")
      .values(rows)
      .onConflict((conflict) => conflict.column("key").doUpdateSet(({ ref }) => ({ value: ref("excluded.value") })))
      .execute();
    this.#value = next;
    this.#push("settings", this.#value);
  }
}

function row<K extends keyof Settings>(name: K, settings: Settings): { key: SettingKey; value: string } {
  const { key, write } = ROWS[name];
  return { key, value: write(settings[name]) };
}
