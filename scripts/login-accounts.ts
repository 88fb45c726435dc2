/** Fills a data folder with accounts for the benchmark: some that can sign in, the rest as large as real ones. */
import { randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import { type Insertable, type Kysely, sql } from "kysely";
import { openDataFolder } from "../login-server/data-folder.ts";
import type { Schema } from "../login-server/storage/schema.ts";
import { toHex } from "../protocol/bytes.ts";
import { DeviceId, Handle, UserId } from "../protocol/identifiers.ts";
import { VAULT_BYTES } from "../protocol/login-api.ts";
import { type SigningKeyPair, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";

export const PASSWORD = "the password of everybody here";
/** What stretches a password is the client's work, and no part of what is measured here. */
export const KEY_STRETCHING = { "argon2id-custom": { iterations: 1, memory: 8, parallelism: 1 } };
const CERTIFICATE_BYTES = 371;
/** Beyond what the server gives out in a benchmark. */
const FIRST_FILLER_SERIAL = 1_000_000_000;
const ROWS_AT_ONCE = 500;
const ROWS_PER_TRANSACTION = 20_000;

export interface BenchAccount {
  readonly handle: Handle;
  readonly sign: SigningKeyPair;
}

type AccountRow = Insertable<Schema["accounts"]>;

/**
 * @param real how many can sign in; the first of them has `buddies` buddies
 * @param all how many there are altogether
 */
export async function makeAccounts(
  folder: string,
  { real, all, buddies }: { readonly real: number; readonly all: number; readonly buddies: number },
): Promise<BenchAccount[]> {
  await opaque.ready;
  const data = await openDataFolder(folder, Date.now);
  try {
    const { db } = data.storage;
    // Made anew if it is cut off.
    await sql`PRAGMA synchronous = OFF`.execute(db);
    const accounts: BenchAccount[] = [];
    const rows: AccountRow[] = [];
    let record = "";
    for (let index = 0; index < real; index++) {
      const account = { handle: Handle.parse(`member${index}`), sign: signingKeyPair() };
      record = registrationRecord(data.keys.opaqueSetup, account.handle);
      accounts.push(account);
      rows.push(accountRow(account.handle, userIdOf(account.sign.publicKey), record, account.sign.publicKey));
    }
    await insertAll(db, rows);
    await insertFillers(db, all - real, record);
    const [first] = accounts;
    if (first) await befriend(db, userIdOf(first.sign.publicKey), buddies);
    return accounts;
  } finally {
    await data.close();
  }
}

function registrationRecord(serverSetup: string, handle: Handle): string {
  const { clientRegistrationState, registrationRequest } = opaque.client.startRegistration({ password: PASSWORD });
  const { registrationResponse } = opaque.server.createRegistrationResponse({
    serverSetup,
    userIdentifier: handle,
    registrationRequest,
  });
  return opaque.client.finishRegistration({
    password: PASSWORD,
    clientRegistrationState,
    registrationResponse,
    keyStretching: KEY_STRETCHING,
  }).registrationRecord;
}

function accountRow(handle: Handle, userId: UserId, record: string, signKey: Uint8Array): AccountRow {
  return {
    user_id: userId,
    handle,
    opaque_record: record,
    vault: randomBytes(VAULT_BYTES),
    sign_key: signKey,
    box_key: randomBytes(32),
    key_binding: randomBytes(64),
    certificate: randomBytes(CERTIFICATE_BYTES),
    created_at: Date.now(),
  };
}

/** Each with one device; in random order, as people come. */
async function insertFillers(db: Kysely<Schema>, count: number, record: string): Promise<void> {
  for (let done = 0; done < count; done += ROWS_PER_TRANSACTION) {
    const rows = Array.from({ length: Math.min(ROWS_PER_TRANSACTION, count - done) }, (_, index) => {
      const userId = UserId.parse(toHex(randomBytes(20)));
      const handle = Handle.parse(`f${toHex(randomBytes(12))}`);
      return {
        account: accountRow(handle, userId, record, randomBytes(32)),
        serial: FIRST_FILLER_SERIAL + done + index,
      };
    });
    await insertAll(
      db,
      rows.map(({ account }) => account),
      rows.map(({ account, serial }) => ({
        user_id: account.user_id,
        device_id: DeviceId.parse(toHex(randomBytes(16))),
        name: "filler",
        certificate: randomBytes(CERTIFICATE_BYTES),
        serial,
        issued_at: Date.now(),
        expires_at: Date.now() + 1e9,
        last_seen_at: Date.now(),
      })),
    );
  }
}

async function insertAll(
  db: Kysely<Schema>,
  accounts: readonly AccountRow[],
  devices: readonly Insertable<Schema["devices"]>[] = [],
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    for (let at = 0; at < accounts.length; at += ROWS_AT_ONCE) {
      await transaction
        .insertInto("accounts")
        .values(accounts.slice(at, at + ROWS_AT_ONCE))
        .execute();
    }
    for (let at = 0; at < devices.length; at += ROWS_AT_ONCE) {
      await transaction
        .insertInto("devices")
        .values(devices.slice(at, at + ROWS_AT_ONCE))
        .execute();
    }
  });
}

async function befriend(db: Kysely<Schema>, owner: UserId, count: number): Promise<void> {
  const peers = await db.selectFrom("accounts").select("user_id").where("user_id", "!=", owner).limit(count).execute();
  const lines = peers.map(({ user_id }, index) => ({
    owner_id: owner,
    peer_id: user_id,
    state: "buddy" as const,
    greeting: "",
    revision: index + 1,
  }));
  for (let at = 0; at < lines.length; at += ROWS_AT_ONCE) {
    await db
      .insertInto("buddy_lines")
      .values(lines.slice(at, at + ROWS_AT_ONCE))
      .execute();
  }
  await db.updateTable("accounts").set({ buddy_revision: lines.length }).where("user_id", "=", owner).execute();
}
