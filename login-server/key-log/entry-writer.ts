/** Writes every certificate into the key log, in the transaction that issues it. */
import type { Kysely } from "kysely";
import { toHex } from "../../protocol/bytes.ts";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { encodeKeyLogEntry } from "../../protocol/key-log.ts";
import { treeKeyOf } from "../../protocol/key-tree.ts";
import { sha256 } from "../../protocol/node-crypto.ts";
import type { Schema } from "../storage/schema.ts";

export type LoggedCertificate = Pick<UserCertificate, "handle" | "userId" | "deviceId" | "serial" | "issuedAt"> & {
  readonly expiresAt: number;
  /** As it travels. */
  readonly bytes: Uint8Array;
};

/**
 * Appends to the handle's chain; the next epoch shows it.
 * @param db a transaction that has taken the certificate's serial: the counter's lock keeps positions apart
 */
export async function logCertificate(db: Kysely<Schema>, certificate: LoggedCertificate): Promise<void> {
  const { handle, serial, deviceId, expiresAt, bytes } = certificate;
  const treeKey = toHex(treeKeyOf(handle));
  const { last } = await db
    .selectFrom("key_log_entries")
    .select((query) => query.fn.max("position").as("last"))
    .where("tree_key", "=", treeKey)
    .executeTakeFirstOrThrow();
  await db
    .insertInto("key_log_entries")
    .values({
      tree_key: treeKey,
      position: last === null ? 0 : Number(last) + 1,
      serial,
      entry: encodeKeyLogEntry({ ...certificate, certificateHash: sha256(bytes) }),
      device_id: deviceId,
      expires_at: expiresAt,
      epoch: null,
    })
    .execute();
}
