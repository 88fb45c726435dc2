/** Fills a data folder with accounts for the benchmark: some that can sign in, the rest as large as real ones. */
import { randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import { type Insertable, type Kysely, sql } from "kysely";
import { openDataFolder } from "../login-server/data-folder.ts";
import type { Schema } from "../login-server/storage/schema.ts";
import { Handle, type UserId } from "../protocol/identifiers.ts";
import { VAULT_BYTES } from "../protocol/login-api.ts";
import { type SigningKeyPair, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";
import { CERTIFICATE_BYTES, insertFillers } from "./filler-accounts.ts";

export const PASSWORD = "the password of everybody here";
/** What stretches a password is the client's work, and no part of what is measured here. */
export const KEY_STRETCHING = { "argon2id-custom": { iterations: 1, memory: 8, parallelism: 1 } };
const ROWS_AT_ONCE = 500;

export interface BenchAccount {
  readonly handle: Handle;
  readonly sign: SigningKeyPair;
}

type AccountRow = Insertable<Schema["accounts"]>;

/**
 * @param real how many can sign in; the first of them has `buddies` buddies
 * @param all how many there are altogether
 * @param made is told now and then how many there are so far
 */
export async function makeAccounts(
  folder: string,
  { real, all, buddies }: { readonly real: number; readonly all: number; readonly buddies: number },
  made: (count: number) => void = () => undefined,
): Promise<BenchAccount[]> {
  await opaque.ready;
  const data = await openDataFolder(folder, Date.now);
  try {
    const { db } = data.storage;
    // Made anew if it is cut off.
    for (const setting of ["journal_mode = OFF", "synchronous = OFF", "cache_size = -500000", "temp_store = MEMORY"]) {
      await sql`PRAGMA ${sql.raw(setting)}`.execute(db);
    }
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
    await insertFillers(db, all - real, record, made);
    await sql`PRAGMA journal_mode = WAL`.execute(db);
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

async function insertAll(db: Kysely<Schema>, accounts: readonly AccountRow[]): Promise<void> {
  for (let at = 0; at < accounts.length; at += ROWS_AT_ONCE) {
    await db
      .insertInto("accounts")
      .values(accounts.slice(at, at + ROWS_AT_ONCE))
      .execute();
  }
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
