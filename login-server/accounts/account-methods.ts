/** What a signed-in device asks about its own account, and an administrator's about others. */
import type { Kysely } from "kysely";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress } from "../../protocol/identifiers.ts";
import { type LOGIN_METHODS, MAX_APPLICANTS } from "../../protocol/login-api.ts";
import type { Input, Output } from "../../protocol/rpc.ts";
import type { Actor, Administration } from "../administration/administration.ts";
import type { Schema } from "../storage/schema.ts";
import type { Accounts } from "./accounts.ts";
import type { Devices } from "./devices.ts";
import type { PasswordChange } from "./password-change.ts";
import type { Sessions } from "./sessions.ts";

type Methods = typeof LOGIN_METHODS;
type Answer<K extends keyof Methods> = Promise<Output<Methods[K]>>;

interface AccountMethodParts {
  readonly db: Kysely<Schema>;
  readonly accounts: Accounts;
  readonly administration: Administration;
  readonly devices: Devices;
  readonly sessions: Sessions;
  readonly passwords: PasswordChange;
}

export class AccountMethods {
  readonly #parts: AccountMethodParts;

  constructor(parts: AccountMethodParts) {
    this.#parts = parts;
  }

  /** @throws KithError `signed-out-elsewhere` */
  async account({ userId }: DeviceAddress): Answer<"account"> {
    const { db, devices, sessions } = this.#parts;
    const account = await db
      .selectFrom("accounts")
      .select(["role", "created_at", "recovery_set_at"])
      .where("user_id", "=", userId)
      .executeTakeFirst();
    if (!account) throw new KithError("signed-out-elsewhere");
    const list = await devices.list(userId);
    return {
      role: account.role,
      createdAt: account.created_at,
      recoveryKeySetAt: account.recovery_set_at,
      devices: list.map((device) => ({ ...device, connected: sessions.has({ userId, deviceId: device.deviceId }) })),
    };
  }

  async setRecoveryKey(device: DeviceAddress, input: Input<Methods["setRecoveryKey"]>): Answer<"setRecoveryKey"> {
    await this.#parts.passwords.setRecoveryKey(device, input);
    return {};
  }

  /** @throws KithError `administrator-only` */
  async invite(device: DeviceAddress, { uses, days }: Input<Methods["invite"]>): Answer<"invite"> {
    const actor = await this.#administrator(device);
    const draft = { uses, days, note: "", administrator: false, handle: null };
    const { link, expiresAt } = await this.#parts.administration.invite(draft, actor);
    return { link, expiresAt };
  }

  /** @throws KithError `administrator-only` */
  async applicants(device: DeviceAddress): Answer<"applicants"> {
    await this.#administrator(device);
    const waiting = await this.#parts.accounts.list("waiting", "", MAX_APPLICANTS);
    return { applicants: waiting.map(({ handle, createdAt }) => ({ handle, createdAt })) };
  }

  /** @throws KithError `administrator-only`, `no-such-user` */
  async decideApplicant(device: DeviceAddress, input: Input<Methods["decideApplicant"]>): Answer<"decideApplicant"> {
    const { name } = await this.#administrator(device);
    const { accounts } = this.#parts;
    await (input.admit ? accounts.approve(input.handle, name) : accounts.decline(input.handle, name));
    return {};
  }

  async #administrator({ userId }: DeviceAddress): Promise<Actor> {
    const handle = await this.#parts.accounts.administrator(userId);
    if (handle === null) throw new KithError("administrator-only");
    return { name: handle, id: userId };
  }
}
