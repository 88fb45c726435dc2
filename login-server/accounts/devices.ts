/** The devices of an account and their certificates: issue, renew, sign out. */
import type { Kysely } from "kysely";
import { equalBytes } from "../../protocol/bytes.ts";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, DeviceId, UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { logCertificate } from "../key-log/entry-writer.ts";
import { revokeDevices } from "../key-log/revocations.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import { nextCertificateSerial } from "../storage/serial.ts";

/** last_seen_at is only as exact as the device limit needs it, so that reconnecting does not write. */
const LAST_SEEN_STEP_MS = 3_600_000;

export type AccountKeys = Pick<UserCertificate, "userId" | "handle" | "signKey" | "boxKey" | "keyBinding">;

export interface Device {
  readonly deviceId: DeviceId;
  /** As its owner named it. */
  readonly name: string;
}

export interface ListedDevice extends Device {
  readonly lastSeenAt: number;
}

export interface SignedInDevice {
  readonly certificate: Uint8Array;
  /** Devices that had to make room for this one. */
  readonly signedOut: readonly DeviceAddress[];
}

interface DeviceParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  /** A certificate stands in the key log as soon as the transaction ends. */
  issued(): void;
  now(): number;
}

export class Devices {
  readonly #parts: DeviceParts;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
  }

  /**
   * Signs a device in and issues its certificate. Call it inside the transaction in which
   * the account was made or its password was proved.
   */
  async signIn(db: Kysely<Schema>, account: AccountKeys, device: Device): Promise<SignedInDevice> {
    const certificate = await this.#issue(db, account, device.deviceId);
    const now = this.#parts.now();
    await db
      .insertInto("devices")
      .values({
        user_id: account.userId,
        device_id: device.deviceId,
        name: device.name,
        ...certificate,
        last_seen_at: now,
      })
      .onConflict((conflict) =>
        conflict
          .columns(["user_id", "device_id"])
          .doUpdateSet({ name: device.name, ...certificate, last_seen_at: now }),
      )
      .execute();
    return {
      certificate: certificate.certificate,
      signedOut: await this.#makeRoom(db, account.userId, device.deviceId),
    };
  }

  /**
   * A device shows the certificate that it has, expired or not.
   * @returns a fresh one once the newest is past half-life or the device's is not the newest; null if all is well
   * @throws KithError `signed-out-elsewhere`, `certificate-forged` for one with other keys than the account's
   */
  async resume(shown: Signed<UserCertificate>): Promise<Uint8Array | null> {
    const { userId, deviceId, serial, signKey } = shown.value;
    return this.#parts.db.transaction().execute(async (transaction) => {
      const device = await transaction
        .selectFrom("devices")
        .innerJoin("accounts", "accounts.user_id", "devices.user_id")
        .select(["devices.certificate", "serial", "issued_at", "expires_at", "last_seen_at", "sign_key"])
        .where("devices.user_id", "=", userId)
        .where("device_id", "=", deviceId)
        .where("standing", "=", "active")
        .executeTakeFirst();
      if (!device) throw new KithError("signed-out-elsewhere");
      // A former key of the network, which somebody may have stolen, is good enough to be recognised by, but not for this.
      if (!equalBytes(new Uint8Array(device.sign_key), signKey)) throw new KithError("certificate-forged");
      const now = this.#parts.now();
      const renew = this.#parts.authority.isDue({ issuedAt: device.issued_at, expiresAt: device.expires_at });
      const renewed = renew ? await this.#issue(transaction, shown.value, deviceId) : null;
      if (renewed || now - device.last_seen_at >= LAST_SEEN_STEP_MS) {
        await transaction
          .updateTable("devices")
          .set({ ...renewed, last_seen_at: now })
          .where("user_id", "=", userId)
          .where("device_id", "=", deviceId)
          .execute();
      }
      if (renewed) return renewed.certificate;
      return device.serial > serial ? device.certificate : null;
    });
  }

  /** Those that are signed in, the one seen last first. */
  async list(userId: UserId): Promise<ListedDevice[]> {
    return this.#parts.db
      .selectFrom("devices")
      .select(["device_id as deviceId", "name", "last_seen_at as lastSeenAt"])
      .where("user_id", "=", userId)
      .orderBy("last_seen_at", "desc")
      .execute();
  }

  /** Forgets the device: its certificate opens no session any more. Signing out twice is no error. */
  async signOut(device: DeviceAddress): Promise<void> {
    await this.#parts.db.transaction().execute((transaction) => forget(transaction, device));
  }

  async #issue(db: Kysely<Schema>, account: AccountKeys, deviceId: DeviceId) {
    const serial = await nextCertificateSerial(db);
    const { userId, handle, signKey, boxKey, keyBinding } = account;
    const issued = this.#parts.authority.issueUser({ userId, handle, signKey, boxKey, keyBinding, deviceId, serial });
    await logCertificate(db, { handle, userId, deviceId, serial, ...issued });
    this.#parts.issued();
    // Blocked or deleted since it was looked at: in PostgreSQL this waits for whoever is at it.
    const isActive = await db
      .updateTable("accounts")
      .set({ certificate: issued.bytes })
      .where("user_id", "=", userId)
      .where("standing", "=", "active")
      .returning("user_id")
      .executeTakeFirst();
    if (!isActive) throw new KithError("login-attempt-over");
    return { certificate: issued.bytes, serial, issued_at: issued.issuedAt, expires_at: issued.expiresAt };
  }

  async #makeRoom(db: Kysely<Schema>, userId: UserId, keep: DeviceId): Promise<DeviceAddress[]> {
    const others = await db
      .selectFrom("devices")
      .select(["device_id", "serial"])
      .where("user_id", "=", userId)
      .where("device_id", "!=", keep)
      .orderBy("last_seen_at", "desc")
      .orderBy("serial", "desc")
      .execute();
    const surplus = others.slice(LIMITS.maxDevicesPerAccount - 1).map((row) => ({ userId, deviceId: row.device_id }));
    for (const device of surplus) await forget(db, device);
    return surplus;
  }
}

async function forget(transaction: Kysely<Schema>, { userId, deviceId }: DeviceAddress): Promise<void> {
  await transaction.deleteFrom("devices").where("user_id", "=", userId).where("device_id", "=", deviceId).execute();
  await revokeDevices(transaction, userId, [deviceId]);
}
