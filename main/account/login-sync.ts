/** What the session with the login server brings: the buddy list, the supernode list, a fresh certificate. */
import type { UserId } from "../../protocol/identifiers.ts";
import type { BuddyDelta } from "../../protocol/login-api.ts";
import { type TrustAnchor, trustUserCertificate } from "../../protocol/trust.ts";
import type { BuddyList } from "../buddies/buddy-list.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { SupernodeListKeeper } from "../directory/supernode-list.ts";
import type { Account, AccountStore } from "./account-store.ts";
import { CertificateRenewal } from "./certificate-renewal.ts";
import { LoginSession } from "./login-session.ts";

interface Parts {
  readonly account: Account;
  readonly store: AccountStore;
  readonly anchor: TrustAnchor;
  readonly buddies: BuddyList;
  readonly supernodes: SupernodeListKeeper;
  readonly surroundings: Surroundings;
  readonly listener: LoginSyncListener;
}

export interface LoginSyncListener {
  /** The server answers again, or no longer. */
  changed(): void;
  /** These lines of the buddy list have changed. */
  buddiesChanged(userIds: readonly UserId[]): Promise<void>;
  /** Our certificate is a fresh one: what was refused before may be worth another try. */
  renewed(): void;
  /** The session is open, and the buddy list as the server has it. */
  opened(): void;
  /** The host cache goes by a new list of supernodes. */
  supernodesChanged(): void;
  signedOut(): void;
}

export class LoginSync {
  readonly session: LoginSession;
  readonly renewal: CertificateRenewal;
  readonly #parts: Parts;
  #certificate: Uint8Array;
  /** Before, pushes may leave gaps, and the revision must not step over them. */
  #isSynchronised = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { account, anchor, surroundings, listener } = parts;
    const { loginServer, deviceId, keys } = account;
    this.#certificate = account.certificate;
    this.session = new LoginSession(
      { loginServer, anchor, deviceId, keys, certificate: () => this.#certificate },
      surroundings,
      {
        opened: async (revision) => {
          this.#lookForSupernodes(revision);
          await this.#synchronise();
          listener.opened();
        },
        changed: () => listener.changed(),
        renewed: (certificate) => this.#renew(certificate),
        buddies: (delta) => surroundings.background.run("buddy list", this.take(delta, this.#isSynchronised)),
        supernodes: (revision) => this.#lookForSupernodes(revision),
        signedOut: () => listener.signedOut(),
      },
    );
    this.renewal = new CertificateRenewal({
      anchor,
      session: this.session,
      certificate: () => this.#certificate,
      renewed: (certificate) => this.#renew(certificate),
      surroundings,
    });
  }

  /** Ours, the latest. */
  get certificate(): Uint8Array {
    return this.#certificate;
  }

  /** Takes over lines of the buddy list, and with `advance` the revision that they reach up to. */
  async take(delta: Pick<BuddyDelta, "entries" | "revision">, advance: boolean): Promise<void> {
    const { buddies, listener } = this.#parts;
    await buddies.apply(delta, advance);
    await listener.buddiesChanged(delta.entries.map(({ userId }) => userId));
  }

  async #synchronise(): Promise<void> {
    const { buddies } = this.#parts;
    this.#isSynchronised = false;
    let more = true;
    while (more) {
      const since = buddies.revision;
      const delta = await this.session.request("syncBuddies", { since });
      if (delta.revision < since) {
        await buddies.startOver();
      } else {
        await this.take(delta, true);
        more = delta.more;
      }
    }
    this.#isSynchronised = true;
  }

  #lookForSupernodes(revision: number): void {
    const { supernodes, surroundings } = this.#parts;
    if (supernodes.wants(revision)) surroundings.background.run("supernode list", this.#fetchSupernodes());
  }

  async #fetchSupernodes(): Promise<void> {
    const { supernodes, listener } = this.#parts;
    if (await supernodes.take(await this.session.supernodeList())) listener.supernodesChanged();
  }

  async #renew(certificate: Uint8Array): Promise<void> {
    const { anchor, store, account, listener } = this.#parts;
    trustUserCertificate(anchor, certificate);
    if (!(await store.renew(account, certificate))) return;
    this.#certificate = certificate;
    listener.renewed();
  }
}
