/** Another password for an account: whoever proves the old one, or the recovery key, seals the vault anew. */
import { randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import type { Kysely } from "kysely";
import { z } from "zod";
import { fromHex, toHex } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { type DeviceAddress, Handle, SIGN_KEY_BYTES, SIGNATURE_BYTES, UserId } from "../../protocol/identifiers.ts";
import { type LOGIN_HTTP, VAULT_BYTES } from "../../protocol/login-api.ts";
import { recoveryKeyStatement, recoveryStatement } from "../../protocol/login-proof.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import type { AuditAction, AuditLog } from "../administration/audit-log.ts";
import { exactBytes } from "../http/exact-bytes.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import { requireActive } from "./accounts.ts";
import type { Login } from "./login.ts";
import type { AttemptStore, AttemptStores } from "./login-attempts.ts";
import { fromOpaque } from "./opaque-message.ts";
import { requireRecord } from "./registration.ts";

type Finish = z.infer<typeof LOGIN_HTTP.passwordFinish.input>;

interface PasswordParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  readonly login: Login;
  readonly audit: AuditLog;
  readonly opaqueSetup: string;
  readonly attempts: AttemptStores;
  now(): number;
}

/** The nonce as hexadecimal. */
const RecoveryAttempt = z.object({ handle: Handle, nonce: z.string() });
const ProvedChange = z.object({
  handle: Handle,
  userId: UserId,
  action: z.enum(["password-changed", "account-recovered"] satisfies AuditAction[]),
});

const NONCE_BYTES = 32;
const newId = () => randomBytes(24).toString("base64url");

export class PasswordChange {
  readonly #parts: PasswordParts;
  readonly #recoveries: AttemptStore<z.infer<typeof RecoveryAttempt>>;
  readonly #changes: AttemptStore<z.infer<typeof ProvedChange>>;

  constructor(parts: PasswordParts) {
    this.#parts = parts;
    this.#recoveries = parts.attempts("recovery", RecoveryAttempt);
    this.#changes = parts.attempts("password change", ProvedChange);
  }

  /** @throws KithError `login-attempt-over`, `wrong-password`, `malformed` */
  async prove(attempt: string, request: string, registration: string): Promise<{ change: string; response: string }> {
    const account = await this.#parts.login.prove(attempt, request);
    return this.#begin({ ...account, action: "password-changed" }, registration);
  }

  /** The same for a handle that nobody has, and for one without a recovery key. */
  async startRecovery(handle: Handle): Promise<{ attempt: string; nonce: Uint8Array }> {
    const attempt = newId();
    const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
    await this.#recoveries.add(attempt, { handle, nonce: toHex(nonce) });
    return { attempt, nonce };
  }

  /** @throws KithError `login-attempt-over`, `recovery-refused`, `approval-pending`, `account-blocked`, `malformed` */
  async proveRecovery(
    attempt: string,
    proof: string,
    registration: string,
  ): Promise<{ change: string; response: string; vault: Uint8Array }> {
    const { handle, nonce } = await this.#recoveries.take(attempt);
    const account = await this.#parts.db
      .selectFrom("accounts")
      .select(["user_id", "recovery_key", "recovery_vault", "standing"])
      .where("handle", "=", handle)
      .executeTakeFirst();
    const statement = recoveryStatement(this.#parts.authority.networkId, fromHex(nonce), handle);
    const signature = exactBytes(proof, SIGNATURE_BYTES, "proof");
    // Checked against some key in any case: the time says nothing about the handle.
    const key = account?.recovery_key ?? this.#parts.authority.networkKey;
    const proved = nodeSignatures.verify(statement, signature, key);
    if (!proved || !account?.recovery_key || !account.recovery_vault) throw new KithError("recovery-refused");
    requireActive(account.standing);
    return {
      ...(await this.#begin({ handle, userId: account.user_id, action: "account-recovered" }, registration)),
      vault: account.recovery_vault,
    };
  }

  /** Record and vault change together. @throws KithError `login-attempt-over`, `malformed` */
  async finish({ change, record, vault }: Finish): Promise<void> {
    const { handle, userId, action } = await this.#changes.take(change);
    const { db, audit, opaqueSetup } = this.#parts;
    const sealed = exactBytes(vault, VAULT_BYTES, "vault");
    requireRecord(opaqueSetup, record);
    await db.transaction().execute(async (transaction) => {
      const changed = await transaction
        .updateTable("accounts")
        .set({ opaque_record: record, vault: sealed })
        .where("user_id", "=", userId)
        .returning("user_id")
        .executeTakeFirst();
      if (!changed) throw new KithError("login-attempt-over");
      await audit.add(transaction, { actor: "self", action, subject: handle });
    });
  }

  /**
   * Remembers the account's secrets once more, sealed under a key that only its owner has on paper.
   * @throws KithError `malformed`, `signature-invalid`, `signed-out-elsewhere`
   */
  async setRecoveryKey(
    { userId }: DeviceAddress,
    { recoveryKey, vault, proof }: { recoveryKey: Uint8Array; vault: Uint8Array; proof: Uint8Array },
  ): Promise<void> {
    if (recoveryKey.length !== SIGN_KEY_BYTES) throw new KithError("malformed", { what: "recoveryKey" });
    if (vault.length !== VAULT_BYTES) throw new KithError("malformed", { what: "vault" });
    const { db, authority, now } = this.#parts;
    const account = await db.selectFrom("accounts").select("sign_key").where("user_id", "=", userId).executeTakeFirst();
    if (!account) throw new KithError("signed-out-elsewhere");
    const statement = recoveryKeyStatement(authority.networkId, recoveryKey, vault);
    if (!nodeSignatures.verify(statement, proof, account.sign_key)) {
      throw new KithError("signature-invalid", { what: "recovery key" });
    }
    await db
      .updateTable("accounts")
      .set({ recovery_key: recoveryKey, recovery_vault: vault, recovery_set_at: now() })
      .where("user_id", "=", userId)
      .execute();
  }

  async #begin(
    proved: z.infer<typeof ProvedChange>,
    registrationRequest: string,
  ): Promise<{ change: string; response: string }> {
    const { registrationResponse } = fromOpaque("registration request", registrationRequest, () =>
      opaque.server.createRegistrationResponse({
        serverSetup: this.#parts.opaqueSetup,
        userIdentifier: proved.handle,
        registrationRequest,
      }),
    );
    const change = newId();
    await this.#changes.add(change, proved);
    return { change, response: registrationResponse };
  }
}
