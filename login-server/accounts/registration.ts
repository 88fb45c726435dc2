/** Making an account: OPAQUE registration (RFC 9807 section 5), then the keys and the sealed vault. */
import * as opaque from "@serenity-kit/opaque";
import type { Kysely, Transaction } from "kysely";
import type { z } from "zod";
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Handle } from "../../protocol/identifiers.ts";
import { BOX_KEY_BYTES, SIGN_KEY_BYTES, SIGNATURE_BYTES } from "../../protocol/identifiers.ts";
import type { InvitationToken } from "../../protocol/invitation.ts";
import { type LOGIN_HTTP, type RegistrationMode, VAULT_BYTES } from "../../protocol/login-api.ts";
import { registrationStatement } from "../../protocol/login-proof.ts";
import { nodeSignatures, userIdOf } from "../../protocol/node-crypto.ts";
import { requireAccountKeys } from "../../protocol/trust.ts";
import type { AuditLog } from "../administration/audit-log.ts";
import { exactBytes } from "../http/exact-bytes.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { AccountRole, AccountStanding, Schema } from "../storage/schema.ts";
import { type Accounts, type Departure, NO_DEPARTURE, requireActive } from "./accounts.ts";
import type { AccountKeys, Devices, SignedInDevice } from "./devices.ts";
import { claimOf, isReserved } from "./handle-skeleton.ts";
import type { Grant, Invitations } from "./invitations.ts";
import { fromOpaque } from "./opaque-message.ts";

type Finish = z.infer<typeof LOGIN_HTTP.registerFinish.input>;

interface RegistrationParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  readonly devices: Devices;
  readonly invitations: Invitations;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly opaqueSetup: string;
  readonly mode: RegistrationMode;
  departed(departure: Departure): Promise<void>;
  now(): number;
}

/** An account that was made, and is to be let in or not. */
type Registered =
  | { readonly kind: "in"; readonly device: SignedInDevice; readonly departure: Departure }
  | { readonly kind: "waiting" };

interface Place {
  readonly standing: AccountStanding;
  /** What the account that was replaced leaves to be told. */
  readonly departure: Departure;
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

  /** @throws KithError those of `finish` that can be told before there is a password */
  async start(handle: Handle, request: string, token: InvitationToken | undefined): Promise<{ response: string }> {
    this.#requireOpen(token);
    const grant = token === undefined ? null : await this.#parts.invitations.check(token);
    requireHandleFor(handle, grant);
    if (grant?.forHandle !== handle) await this.#requireFree(handle);
    const { registrationResponse } = fromOpaque("registration request", request, () =>
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
   * answer that was lost, finds the account that it made, and uses no second place of an invitation.
   * @throws KithError `registration-closed`, `invitation-needed`, `invitation-invalid`, `handle-taken`,
   * `handle-look-alike`, `handle-reserved`, `malformed`, `certificate-forged`, `signature-invalid`;
   * `approval-pending` once the account is made and waits
   */
  async finish(request: Finish): Promise<SignedInDevice> {
    this.#requireOpen(request.invitation);
    const claim = this.#requireProof(request);
    const registered = await this.#parts.db.transaction().execute(async (transaction): Promise<Registered> => {
      const { standing, departure } = await this.#settle(transaction, claim, request.invitation);
      if (standing === "waiting") return { kind: "waiting" };
      requireActive(standing);
      const device = { deviceId: request.deviceId, name: request.deviceName };
      return { kind: "in", device: await this.#parts.devices.signIn(transaction, claim.keys, device), departure };
    });
    // Thrown here and not in the transaction, which has made the account.
    if (registered.kind === "waiting") throw new KithError("approval-pending");
    await this.#parts.departed(registered.departure);
    return registered.device;
  }

  #requireOpen(token: InvitationToken | undefined): void {
    const { mode } = this.#parts;
    if (mode === "closed") throw new KithError("registration-closed");
    if (mode === "invitation" && token === undefined) throw new KithError("invitation-needed");
  }

  async #requireFree(handle: Handle): Promise<void> {
    const { db } = this.#parts;
    const taken = await db.selectFrom("accounts").select("user_id").where("handle", "=", handle).executeTakeFirst();
    if (taken) throw new KithError("handle-taken");
    const alike = await db
      .selectFrom("handle_claims")
      .select("claim")
      .where("claim", "=", claimOf(handle))
      .executeTakeFirst();
    if (alike) throw new KithError("handle-look-alike");
  }

  /** Stores the account, or finds it stored. @returns how it stands */
  async #settle(transaction: Transaction<Schema>, claim: Claim, token: InvitationToken | undefined): Promise<Place> {
    const { keys } = claim;
    const stored = await this.#storedBefore(transaction, claim);
    if (stored) return { standing: stored, departure: NO_DEPARTURE };
    const { accounts, invitations, audit, mode } = this.#parts;
    const grant = token === undefined ? null : await invitations.use(transaction, token);
    requireHandleFor(keys.handle, grant);
    // Whoever runs the network has given this handle anew: its account of before gives way.
    const departure =
      grant?.forHandle === keys.handle ? await accounts.replace(transaction, keys.handle, grant.madeAt) : NO_DEPARTURE;
    const standing = mode === "approval" && !grant ? "waiting" : "active";
    await this.#insert(transaction, claim, { standing, role: grant?.role ?? "member" });
    const details = grant ? `invitation ${grant.invitationId}` : "";
    await audit.add(transaction, { actor: "self", action: "account-made", subject: keys.handle, details });
    return { standing, departure };
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

  /** @throws KithError `handle-taken`, `malformed` if the handle or the keys are somebody else's */
  async #storedBefore(db: Kysely<Schema>, { keys, vault, record }: Claim): Promise<AccountStanding | null> {
    const holder = await db
      .selectFrom("accounts")
      .select(["handle", "opaque_record", "vault", "standing"])
      .where("user_id", "=", keys.userId)
      .executeTakeFirst();
    if (!holder) return null;
    if (holder.handle !== keys.handle) {
      throw new KithError("malformed", { what: "signKey", why: "these keys have another handle" });
    }
    if (holder.opaque_record !== record || !equalBytes(holder.vault, vault)) throw new KithError("handle-taken");
    return holder.standing;
  }

  async #insert(
    db: Kysely<Schema>,
    { keys, vault, record }: Claim,
    place: { readonly standing: AccountStanding; readonly role: AccountRole },
  ): Promise<void> {
    const { handle, userId } = keys;
    const inserted = await db
      .insertInto("accounts")
      .values({
        user_id: userId,
        handle,
        opaque_record: record,
        vault,
        sign_key: keys.signKey,
        box_key: keys.boxKey,
        key_binding: keys.keyBinding,
        certificate: new Uint8Array(),
        created_at: this.#parts.now(),
        ...place,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("user_id")
      .executeTakeFirst();
    if (!inserted) throw new KithError("handle-taken");
    const claimed = await db
      .insertInto("handle_claims")
      .values({ claim: claimOf(handle), user_id: userId })
      .onConflict((conflict) => conflict.doNothing())
      .returning("claim")
      .executeTakeFirst();
    if (!claimed) throw new KithError("handle-look-alike");
  }
}

function requireHandleFor(handle: Handle, grant: Grant | null): void {
  if (grant?.forHandle && grant.forHandle !== handle) throw new KithError("invitation-invalid");
  // Whoever will run the network may speak in its name.
  if (isReserved(handle) && grant?.role !== "administrator") throw new KithError("handle-reserved");
}

/** Refuses a record that OPAQUE could not log anybody in with: the account would be lost at once. */
export function requireRecord(serverSetup: string, record: string): void {
  const { startLoginRequest } = opaque.client.startLogin({ password: "" });
  fromOpaque("registration record", record, () =>
    opaque.server.startLogin({ serverSetup, userIdentifier: "", registrationRecord: record, startLoginRequest }),
  );
}
