/** Who is signed in on this profile, kept over restarts. */
import { decodeUserCertificate } from "../../protocol/certificate.ts";
import type { DeviceId, Handle, NetworkId } from "../../protocol/identifiers.ts";
import { type NetworkKeyChain, restoreChain } from "../../protocol/network-key-chain.ts";
import type { ChosenStatus } from "../../protocol/presence.ts";
import type { KeptStatus } from "../directory/own-status.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db, Tx } from "../storage/database-schema.ts";
import { type AccountKeys, accountKeys, certifies } from "./account-keys.ts";
import type { Network } from "./login-http.ts";
import { type PinnedNetwork, pinOf } from "./network-chain.ts";

export interface Account {
  readonly loginServer: string;
  readonly network: Pick<Network, "networkId" | "name"> & { readonly keys: NetworkKeyChain };
  readonly handle: Handle;
  readonly deviceId: DeviceId;
  readonly keys: AccountKeys;
  readonly certificate: Uint8Array;
  readonly status: ChosenStatus;
  readonly statusText: string;
  /** ms since 1970; null unless the status is invisible */
  readonly hiddenSince: number | null;
}

/** What the sign-in form proposes. */
export interface Proposal {
  readonly loginServer: string;
  readonly handle: string;
}

export class AccountStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async load(): Promise<Account | null> {
    const row = await this.#db.selectFrom("account").selectAll().executeTakeFirst();
    if (!row) return null;
    const { successions, isCutOff } = await this.#pinOf(row.network_id);
    const keys = restoreChain(bytesOf(row.network_key), successions, isCutOff);
    return {
      loginServer: row.login_server,
      network: { networkId: row.network_id, name: row.network_name, keys },
      handle: row.handle,
      deviceId: row.device_id,
      keys: accountKeys({
        signSeed: bytesOf(row.sign_seed),
        boxSecret: bytesOf(row.box_secret),
        profileKey: bytesOf(row.profile_key),
      }),
      certificate: bytesOf(row.certificate),
      status: row.status,
      statusText: row.status_text,
      hiddenSince: row.hidden_since,
    };
  }

  /**
   * Signs an account in. What the profile holds of this account from before is kept; what it
   * holds of another one is removed.
   */
  async save(account: Account): Promise<void> {
    const { keys, network } = account;
    await this.#db.transaction().execute(async (tx) => {
      const owner = await tx.selectFrom("owner").selectAll().executeTakeFirst();
      if (owner?.user_id !== keys.userId || owner.network_id !== network.networkId) {
        await eraseContents(tx);
        await tx
          .insertInto("owner")
          .values({
            id: 1,
            login_server: account.loginServer,
            network_id: network.networkId,
            user_id: keys.userId,
            buddy_revision: 0,
          })
          .execute();
      }
      await tx.deleteFrom("account").execute();
      await tx
        .insertInto("account")
        .values({
          id: 1,
          login_server: account.loginServer,
          network_id: network.networkId,
          network_key: network.keys.firstKey,
          network_name: network.name,
          handle: account.handle,
          user_id: keys.userId,
          device_id: account.deviceId,
          sign_seed: keys.signSeed,
          box_secret: keys.boxSecret,
          profile_key: keys.profileKey,
          certificate: account.certificate,
          lease_sequence: 0,
          status: account.status,
          status_text: account.statusText,
          hidden_since: account.hiddenSince,
        })
        .execute();
      await keepKeys(tx, network.keys);
      await propose(tx, "login-server", account.loginServer);
      await propose(tx, "handle", account.handle);
    });
  }

  /** The network that was met at this address when the profile's account signed in; null: none. */
  async pinnedNetwork(loginServer: string): Promise<PinnedNetwork | null> {
    const owner = await this.#db
      .selectFrom("owner")
      .select("network_id")
      .where("login_server", "=", loginServer)
      .executeTakeFirst();
    return owner ? this.#pinOf(owner.network_id) : null;
  }

  /** What is believed of the network's keys from now on. */
  async keepNetworkKeys(chain: NetworkKeyChain): Promise<void> {
    await keepKeys(this.#db, chain);
  }

  async #pinOf(networkId: NetworkId): Promise<PinnedNetwork> {
    const row = await this.#db.selectFrom("network_keys").selectAll().executeTakeFirst();
    return { networkId, successions: row ? bytesOf(row.successions) : new Uint8Array(), isCutOff: row?.cut_off === 1 };
  }

  /** @param certificate as the login server renewed it; one of other keys is not taken. @returns whether it was taken */
  async renew(account: Account, certificate: Uint8Array): Promise<boolean> {
    const { value } = decodeUserCertificate(certificate);
    if (!certifies(value, account.keys) || value.deviceId !== account.deviceId) return false;
    await this.#db.updateTable("account").set({ certificate }).execute();
    return true;
  }

  async setStatus({ status, text, hiddenSince }: KeptStatus): Promise<void> {
    await this.#db.updateTable("account").set({ status, status_text: text, hidden_since: hiddenSince }).execute();
  }

  /** Grows with every call, over restarts and restored backups too. */
  async nextLeaseSequence(now: number): Promise<number> {
    return this.#db.transaction().execute(async (tx) => {
      const { lease_sequence } = await tx.selectFrom("account").select("lease_sequence").executeTakeFirstOrThrow();
      const next = Math.max(lease_sequence + 1, now);
      await tx.updateTable("account").set({ lease_sequence: next }).execute();
      return next;
    });
  }

  /** The keys are forgotten; buddies and messages stay for the same account to come back to. */
  async forgetKeys(): Promise<void> {
    await this.#db.deleteFrom("account").execute();
  }

  /** The user has signed out: nothing of the account stays but what the form proposes. */
  async erase(): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      await tx.deleteFrom("account").execute();
      await eraseContents(tx);
    });
  }

  async proposal(defaultLoginServer: string): Promise<Proposal> {
    const rows = await this.#db.selectFrom("settings").selectAll().execute();
    const settings = new Map(rows.map(({ key, value }) => [key, value]));
    return {
      loginServer: settings.get("login-server") ?? defaultLoginServer,
      handle: settings.get("handle") ?? "",
    };
  }
}

const CONTENTS = [
  "owner",
  "network_keys",
  "pins",
  "buddies",
  "profile_keys_given",
  "own_profile",
  "supernode_list",
  "key_log_head",
  "key_chains",
  "key_owners",
  "key_alerts",
  "host_cache",
  "lines",
  "voice",
  "voice_chunks",
  "deliveries",
  "outbox",
  "receipts",
  "seen_envelopes",
] as const;

async function eraseContents(tx: Tx): Promise<void> {
  for (const table of CONTENTS) await tx.deleteFrom(table).execute();
}

async function keepKeys(db: Db | Tx, chain: NetworkKeyChain): Promise<void> {
  const { successions, isCutOff } = pinOf(chain);
  const row = { successions, cut_off: isCutOff ? 1 : 0 };
  await db
    .insertInto("network_keys")
    .values({ id: 1, ...row })
    .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
    .execute();
}

async function propose(tx: Tx, key: "login-server" | "handle", value: string): Promise<void> {
  await tx
    .insertInto("settings")
    .values({ key, value })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
    .execute();
}
