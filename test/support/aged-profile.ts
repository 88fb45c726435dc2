/** The certificate on a closed profile, and how to make it old. */
import { AccountStore } from "../../main/account/account-store.ts";
import { openDatabase } from "../../main/storage/database.ts";
import { loadProfileKey } from "../../main/storage/profile-key.ts";
import { decodeUserCertificate, type UserCertificate } from "../../protocol/certificate.ts";
import { random } from "./test-account.ts";
import type { TestAuthority } from "./test-identities.ts";

const DAY_MS = 24 * 3_600_000;

export function storedCertificate(folder: string): Promise<UserCertificate> {
  return withAccount(folder, async (store) => decodeUserCertificate((await loaded(store)).certificate).value);
}

/** Makes the certificate as old as if the app had not run since. */
export async function ageCertificate(folder: string, authority: TestAuthority, days: number): Promise<void> {
  await withAccount(folder, async (store, db) => {
    const account = await loaded(store);
    const before = decodeUserCertificate(account.certificate).value;
    const { certificate } = authority.device({
      ...before,
      seed: account.keys.signSeed,
      // The login server has issued a later one since, which never arrived here.
      serial: before.serial - 1,
      issuedAt: before.issuedAt - days * DAY_MS,
      expiresAt: before.expiresAt - days * DAY_MS,
    });
    await db.updateTable("account").set({ certificate }).execute();
  });
}

async function loaded(store: AccountStore) {
  const account = await store.load();
  if (!account) throw new Error("nobody is signed in there");
  return account;
}

async function withAccount<T>(
  folder: string,
  work: (store: AccountStore, db: ReturnType<typeof openDatabase>) => Promise<T>,
): Promise<T> {
  const db = openDatabase(folder, loadProfileKey(folder, null, random));
  try {
    return await work(new AccountStore(db), db);
  } finally {
    await db.destroy();
  }
}
