/** Making an account: OPAQUE registration (RFC 9807 section 5), then the keys and the sealed vault. */
import * as opaque from "@serenity-kit/opaque";
import type { Kysely } from "kysely";
import type { z } from "zod";
import { equalBytes } from "../protocol/bytes.ts";
import { KithError } from "../protocol/errors.ts";
import type { Handle } from "../protocol/identifiers.ts";
import { BOX_KEY_BYTES, SIGN_KEY_BYTES, SIGNATURE_BYTES } from "../protocol/identifiers.ts";
import { type LOGIN_HTTP, VAULT_BYTES } from "../protocol/login-api.ts";
import { registrationStatement } from "../protocol/login-proof.ts";
import { nodeSignatures, userIdOf } from "../protocol/node-crypto.ts";
import { requireAccountKeys } from "../protocol/trust.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import type { AccountKeys, Devices, SignedInDevice } from "./devices.ts";
import { exactBytes } from "./exact-bytes.ts";
import { fromOpaque } from "./opaque-message.ts";
import type { Schema } from "./storage/schema.ts";

export type RegistrationMode = "open" | "closed";
type Finish = z.infer<typeof LOGIN_HTTP.registerFinish.input>;

interface RegistrationParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  readonly devices: Devices;
  readonly opaqueSetup: string;
  readonly mode: RegistrationMode;
  now(): number;
}

/** An account as it was claimed and proved, not yet stored. */
interface Claim {
  readonly keys: AccountKeys;
  readonly vault: Uint8Array;
  readonly record: string;
}

export class Registration {
  readonly #parts: RegistrationParts;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  get mode(): RegistrationMode {
    return this.#parts.mode;
  }

  /** @throws KithError `registration-closed`, `handle-taken`, `malformed` */
  async start(handle: Handle, request: string): Promise<{ response: string }> {
    this.#requireOpen();
    const taken = await this.#parts.db
      .selectFrom("accounts")
      .select("user_id")
      .where("handle", "=", handle)
      .executeTakeFirst();
    if (taken) throw new KithError("handle-taken");
    const { registrationResponse } = fromOpaque("registration request", () =>
      opaque.server.createRegistrationResponse({
        serverSetup: this.#parts.opaqueSetup,
        userIdentifier: handle,
        registrationRequest: request,
      }),
    );
    return { response: registrationResponse };
  }

  /**
   * Makes the account and signs its first device in. The same request once more, after an
   * answer that was lost, finds the account that it made.
   * @throws KithError `registration-closed`, `handle-taken`, `malformed`, `certificate-forged`, `signature-invalid`
   */
  async finish(request: Finish): Promise<SignedInDevice> {
    this.#requireOpen();
    const claim = this.#requireProof(request);
    return this.#parts.db.transaction().execute(async (transaction) => {
      await this.#insert(transaction, claim);
      return this.#parts.devices.signIn(transaction, claim.keys, {
        deviceId: request.deviceId,
        name: request.deviceName,
      });
    });
  }

  #requireOpen(): void {
    if (this.#parts.mode === "closed") throw new KithError("registration-closed");
  }

  #requireProof(request: Finish): Claim {
    const { handle, deviceId, record } = request;
    const signKey = exactBytes(request.signKey, SIGN_KEY_BYTES, "signKey");
    const boxKey = exactBytes(request.boxKey, BOX_KEY_BYTES, "boxKey");
    const keyBinding = exactBytes(request.keyBinding, SIGNATURE_BYTES, "keyBinding");
    const vault = exactBytes(request.vault, VAULT_BYTES, "vault");
    const proof = exactBytes(request.proof, SIGNATURE_BYTES, "proof");
    const keys = { userId: userIdOf(signKey), handle, signKey, boxKey, keyBinding };
    requireAccountKeys(keys);
    const { networkId } = this.#parts.authority;
    const proved = nodeSignatures.verify(
      registrationStatement({ networkId, handle, signKey, boxKey, vault, deviceId }),
      proof,
      signKey,
    );
    if (!proved) throw new KithError("signature-invalid", { what: "registration" });
    requireRecord(this.#parts.opaqueSetup, record);
    return { keys, vault, record };
  }

  async #insert(db: Kysely<Schema>, { keys, vault, record }: Claim): Promise<void> {
    const inserted = await db
      .insertInto("accounts")
      .values({
        user_id: keys.userId,
        handle: keys.handle,
        opaque_record: record,
        vault,
        sign_key: keys.signKey,
        box_key: keys.boxKey,
        key_binding: keys.keyBinding,
        certificate: new Uint8Array(),
        created_at: this.#parts.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("user_id")
      .executeTakeFirst();
    if (inserted) return;
    const holder = await db
      .selectFrom("accounts")
      .select(["user_id", "opaque_record", "vault"])
      .where("handle", "=", keys.handle)
      .executeTakeFirst();
    if (!holder) throw new KithError("malformed", { what: "signKey", why: "these keys have another handle" });
    const same = holder.user_id === keys.userId && holder.opaque_record === record && equalBytes(holder.vault, vault);
    if (!same) throw new KithError("handle-taken");
  }
}

/** Refuses a record that OPAQUE could not log anybody in with: the account would be lost at once. */
function requireRecord(serverSetup: string, record: string): void {
  const { startLoginRequest } = opaque.client.startLogin({ password: "" });
  fromOpaque("registration record", () =>
    opaque.server.startLogin({ serverSetup, userIdentifier: "", registrationRecord: record, startLoginRequest }),
  );
}
