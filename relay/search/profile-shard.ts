/** A holder's part in search: it checks the profiles that it is given, keeps them, and answers for its word beginnings. */
import { KithError } from "../../protocol/errors.ts";
import type { SearchKey, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { LEASE_REPLICAS, LIMITS } from "../../protocol/limits.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { profileKeys, trustProfile } from "../../protocol/profile.ts";
import type { Rank } from "../../protocol/profile-match.ts";
import type { Output } from "../../protocol/rpc.ts";
import type { SEARCH_LINK_METHODS } from "../../protocol/search-api.ts";
import { parseQuery, searchKey } from "../../protocol/search-term.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Membership } from "../membership/membership-source.ts";
import type { ProfileStore } from "./profile-store.ts";
import type { Allowances } from "./search-allowance.ts";
import type { SearchMetrics } from "./search-metrics.ts";

/** Supernodes may disagree for a while on who the members are; a profile this far from its place is still taken. */
const PLACEMENT_TOLERANCE = 2 * LEASE_REPLICAS;

export interface ProfileShardParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Pick<Membership, "members">;
  readonly store: ProfileStore;
  readonly allowances: Allowances<SupernodeId>;
  readonly metrics: SearchMetrics;
}

export class ProfileShard {
  readonly #parts: ProfileShardParts;

  constructor(parts: ProfileShardParts) {
    this.#parts = parts;
  }

  /** @throws KithError `profile-stale`, `profiles-full`, `not-a-holder`, and as trustProfile */
  put(bytes: Uint8Array): void {
    const { anchor, store, metrics } = this.#parts;
    const profile = this.#trusted(bytes, anchor);
    if (!profileKeys(profile.value).some((key) => this.#isHolder(key))) throw new KithError("not-a-holder");
    const result = store.put(profile);
    if (result === "stored") metrics.stored++;
    if (result === "stale") throw new KithError("profile-stale");
    if (result === "full") {
      metrics.refused.full++;
      throw new KithError("profiles-full");
    }
  }

  /** Of what is offered, whom this supernode does not know as well. */
  lacking(offered: readonly { readonly userId: UserId; readonly sequence: number }[]): UserId[] {
    const { store, anchor } = this.#parts;
    const now = anchor.now();
    return offered
      .filter(({ userId, sequence }) => (store.get(userId, now)?.sequence ?? -1) < sequence)
      .map(({ userId }) => userId);
  }

  /**
   * @param asker whom the page is counted against
   * @param term of the query's terms, by its place
   * @throws KithError `too-large`, `search-too-short`, `malformed`, `not-a-holder`, `rate-limited`
   */
  page(
    asker: SupernodeId,
    text: string,
    term: number,
    after: Rank | null,
  ): Output<(typeof SEARCH_LINK_METHODS)["searchProfiles"]> {
    const { self, store, anchor, metrics, allowances } = this.#parts;
    if (asker !== self) {
      try {
        allowances.spend(asker);
      } catch (error) {
        metrics.refused["supernode-rate"]++;
        throw error;
      }
    }
    const query = parseQuery(text);
    const by = query.terms[term];
    if (by === undefined) throw new KithError("malformed", { what: "searchProfiles" });
    const key = searchKey(by);
    if (!this.#isHolder(key)) throw new KithError("not-a-holder");
    metrics.pagesServed++;
    const { found, more, isCut } = store.search(key, query, after, LIMITS.searchPageSize, anchor.now());
    return { profiles: found.map(({ bytes }) => bytes), more, isCut };
  }

  /** The latest that is known of these users. */
  known(userIds: readonly UserId[]): Uint8Array[] {
    const { store, anchor } = this.#parts;
    const now = anchor.now();
    return userIds.flatMap((userId) => store.get(userId, now)?.bytes ?? []);
  }

  #trusted(bytes: Uint8Array, anchor: TrustAnchor) {
    try {
      return trustProfile(anchor, bytes);
    } catch (error) {
      this.#parts.metrics.refused.profile++;
      throw error;
    }
  }

  #isHolder(key: SearchKey): boolean {
    const { self, membership } = this.#parts;
    return holdersOf(key, membership.members().keys(), PLACEMENT_TOLERANCE).includes(self);
  }
}
