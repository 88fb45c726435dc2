/** Signing in with handle and password: OPAQUE login (RFC 9807 section 6). The password never gets here. */
import { randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import type { Kysely } from "kysely";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { Handle, UserId } from "../../protocol/identifiers.ts";
import type { Schema } from "../storage/schema.ts";
import { requireActive } from "./accounts.ts";
import type { Device, Devices, SignedInDevice } from "./devices.ts";
import type { AttemptStore, AttemptStores } from "./login-attempts.ts";
import { fromOpaque } from "./opaque-message.ts";
import type { PasswordGuesses } from "./password-guesses.ts";

/** `userId` is null for a handle that nobody has. */
const LoginAttempt = z.object({
  handle: Handle,
  userId: UserId.nullable(),
  serverLoginState: z.string(),
  subscriber: z.string(),
});

/** Whose password was proved: the account, and not whoever has its handle by now. */
export interface ProvedAccount {
  readonly handle: Handle;
  readonly userId: UserId;
}

interface LoginParts {
  readonly db: Kysely<Schema>;
  readonly devices: Devices;
  readonly opaqueSetup: string;
  readonly guesses: PasswordGuesses;
  readonly attempts: AttemptStores;
}

export class Login {
  readonly #parts: LoginParts;
  readonly #attempts: AttemptStore<z.infer<typeof LoginAttempt>>;

  constructor(parts: LoginParts) {
    this.#parts = parts;
    this.#attempts = parts.attempts("login", LoginAttempt);
  }

  /**
   * Answers for a handle that nobody has as it does for one that somebody has, in shape and
   * in work (RFC 9807 section 6.3.2.2): only the finish tells, in the words of a wrong password.
   * @param subscriber whose guesses are counted
   * @throws KithError `malformed`, `rate-limited`
   */
  async start(handle: Handle, request: string, subscriber: string): Promise<{ attempt: string; response: string }> {
    this.#parts.guesses.begin(handle, subscriber);
    const account = await this.#parts.db
      .selectFrom("accounts")
      .select(["user_id", "opaque_record"])
      .where("handle", "=", handle)
      .executeTakeFirst();
    const { serverLoginState, loginResponse } = fromOpaque("login request", request, () =>
      opaque.server.startLogin({
        serverSetup: this.#parts.opaqueSetup,
        userIdentifier: handle,
        registrationRecord: account?.opaque_record ?? null,
        startLoginRequest: request,
      }),
    );
    const attempt = randomBytes(24).toString("base64url");
    await this.#attempts.add(attempt, { handle, userId: account?.user_id ?? null, serverLoginState, subscriber });
    return { attempt, response: loginResponse };
  }

  /**
   * That whoever began the attempt knows the password.
   * @throws KithError `login-attempt-over`, `wrong-password`
   */
  async prove(attemptId: string, request: string): Promise<ProvedAccount> {
    const { handle, userId, serverLoginState, subscriber } = await this.#attempts.take(attemptId);
    try {
      fromOpaque("login proof", request, () =>
        opaque.server.finishLogin({ serverLoginState, finishLoginRequest: request }),
      );
    } catch (error) {
      throw new KithError("wrong-password", {}, { cause: error });
    }
    if (userId === null) throw new KithError("wrong-password");
    this.#parts.guesses.known(handle, subscriber);
    return { handle, userId };
  }

  /** @throws KithError `login-attempt-over`, `wrong-password`, `approval-pending`, `account-blocked` */
  async finish(
    attemptId: string,
    request: string,
    device: Device,
  ): Promise<SignedInDevice & { readonly vault: Uint8Array }> {
    const { handle, userId } = await this.prove(attemptId, request);
    return this.#parts.db.transaction().execute(async (transaction) => {
      const account = await transaction
        .selectFrom("accounts")
        .select(["sign_key", "box_key", "key_binding", "vault", "standing"])
        .where("user_id", "=", userId)
        .executeTakeFirst();
      if (!account) throw new KithError("wrong-password");
      requireActive(account.standing);
      const keys = {
        userId,
        handle,
        signKey: account.sign_key,
        boxKey: account.box_key,
        keyBinding: account.key_binding,
      };
      const signedIn = await this.#parts.devices.signIn(transaction, keys, device);
      return { ...signedIn, vault: account.vault };
    });
  }
}
