/** Somebody who runs a login server and cheats: what the key log is there to find out. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { branchHash, storeBranch } from "../../login-server/key-log/branches.ts";
import { logCertificate } from "../../login-server/key-log/entry-writer.ts";
import { publishEpoch } from "../../login-server/key-log/epoch.ts";
import { CertificateAuthority } from "../../login-server/keys/certificate-authority.ts";
import { parseNetworkKeys } from "../../login-server/keys/network-keys.ts";
import { nextCertificateSerial } from "../../login-server/storage/serial.ts";
import { openSqliteStorage } from "../../login-server/storage/sqlite-storage.ts";
import type { Storage } from "../../login-server/storage/storage.ts";
import { toHex } from "../../protocol/bytes.ts";
import { DeviceId, Handle } from "../../protocol/identifiers.ts";
import { treeKeyOf } from "../../protocol/key-tree.ts";
import { nodeSignatures, signingKeyPair, userIdOf } from "../../protocol/node-crypto.ts";
import { statement } from "../../protocol/signed.ts";
import type { TestNetwork } from "./test-network.ts";

/** Whoever runs the login server, with all that is theirs: its database and its keys. */
export class CrookedHost {
  readonly #storage: Storage;
  readonly #authority: CertificateAuthority;

  private constructor(storage: Storage, authority: CertificateAuthority) {
    this.#storage = storage;
    this.#authority = authority;
  }

  static async of({ loginFolder }: Pick<TestNetwork, "loginFolder">): Promise<CrookedHost> {
    const path = join(loginFolder, "network-keys.json");
    const keys = await parseNetworkKeys(readFileSync(path, "utf8"), path);
    const storage = await openSqliteStorage(join(loginFolder, "login.db"), Date.now);
    return new CrookedHost(storage, new CertificateAuthority(keys, Date.now));
  }

  /** Certifies a key of the host's own for somebody's handle. */
  async issueSecondKey(handle: Handle): Promise<void> {
    const keys = signingKeyPair();
    const boxKey = randomBytes(32);
    await this.#storage.db.transaction().execute(async (transaction) => {
      const subject = {
        handle,
        userId: userIdOf(keys.publicKey),
        signKey: keys.publicKey,
        boxKey,
        keyBinding: nodeSignatures.sign(statement("keyBinding", boxKey), keys.secretKey),
        deviceId: DeviceId.parse(toHex(randomBytes(16))),
        serial: await nextCertificateSerial(transaction),
      };
      const issued = this.#authority.issueUser(subject);
      await logCertificate(transaction, { ...subject, ...issued });
    });
    await this.publish();
  }

  /** As if nothing had ever been certified for this handle. */
  async hide(handle: Handle): Promise<void> {
    const treeKey = toHex(treeKeyOf(handle));
    const { db } = this.#storage;
    await db.deleteFrom("key_log_entries").where("tree_key", "=", treeKey).execute();
    await db.deleteFrom("key_log_chains").where("tree_key", "=", treeKey).execute();
    const prefix = treeKey.slice(0, 3);
    await storeBranch(db, prefix, await branchHash(db, prefix));
    await this.issueSecondKey(Handle.parse(`decoy-${toHex(randomBytes(4))}`));
  }

  async publish(): Promise<void> {
    await publishEpoch({ db: this.#storage.db, authority: this.#authority, now: Date.now });
  }

  close(): Promise<void> {
    return this.#storage.close();
  }
}
