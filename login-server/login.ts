/** Signing in with handle and password: OPAQUE login (RFC 9807 section 6). The password never gets here. */
import { randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import type { Kysely } from "kysely";
import { z } from "zod";
import { KithError } from "../protocol/errors.ts";
import { Handle } from "../protocol/identifiers.ts";
import { requireActive } from "./accounts.ts";
import type { Device, Devices, SignedInDevice } from "./devices.ts";
import type { AttemptStore, AttemptStores } from "./login-attempts.ts";
import { fromOpaque } from "./opaque-message.ts";
import type { PasswordGuesses } from "./password-guesses.ts";
import type { Schema } from "./storage/schema.ts";

const LoginAttempt = z.object({ handle: Handle, serverLoginState: z.string(), subscriber: z.string() });

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
      .select("opaque_record")
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
    await this.#attempts.add(attempt, { handle, serverLoginState, subscriber });
    return { attempt, response: loginResponse };
  }

  /**
   * That whoever began the attempt knows the password.
   * @returns whose
   * @throws KithError `login-attempt-over`, `wrong-password`
   */
  async prove(attemptId: string, request: string): Promise<Handle> {
    const { handle, serverLoginState, subscriber } = await this.#attempts.take(attemptId);
    try {
      fromOpaque("login proof", request, () =>
        opaque.server.finishLogin({ serverLoginState, finishLoginRequest: request }),
      );
    } catch (error) {
      throw new KithError("wrong-password", {}, { cause: error });
    }
    this.#parts.guesses.succeeded(handle, subscriber);
    return handle;
  }

  /** @throws KithError `login-attempt-over`, `wrong-password`, `approval-pending`, `account-blocked` */
  async finish(
    attemptId: string,
    request: string,
    device: Device,
  ): Promise<SignedInDevice & { readonly vault: Uint8Array }> {
    const handle = await this.prove(attemptId, request);
    return this.#parts.db.transaction().execute(async (transaction) => {
      const account = await transaction
        .selectFrom("accounts")
        .select(["user_id", "sign_key", "box_key", "key_binding", "vault", "standing"])
        .where("handle", "=", handle)
        .executeTakeFirst();
      if (!account) throw new KithError("wrong-password");
      requireActive(account.standing);
      const keys = {
        userId: account.user_id,
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
