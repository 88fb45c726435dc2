/**
 * A home's part in searching: two holders of the query's most selective word are asked at
 * once, another in place of each that is slow, refuses or lies. What only one of the two
 * has is looked up at others too, since it may be withdrawn.
 */
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { type Profile, trustProfile } from "../../protocol/profile.ts";
import type { Rank } from "../../protocol/profile-match.ts";
import { parseQuery, type SearchQuery, searchKey, searchTerms } from "../../protocol/search-term.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import { type Found, type HolderPage, mergePages, rankOf, trustPage } from "./holder-answers.ts";
import type { SearchTimes } from "./search-limits.ts";
import type { SearchMetrics } from "./search-metrics.ts";

/** Holders who answer before a page is believed to be whole: one may leave somebody out. */
const ANSWERS = 2;
/** Words tried in turn if too many people have the first. */
const MAX_TERMS = 3;
/** Holders asked whether somebody whom not all have found is still findable. */
const WITNESSES = 3;

export interface ProfileSearchParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Pick<Membership, "members">;
  readonly peers: Pick<Peers, "call" | "isGood" | "accuse">;
  readonly metrics: SearchMetrics;
  readonly times: Pick<SearchTimes, "searchMs" | "hedgeMs">;
}

export interface SearchPage {
  readonly found: readonly Found[];
  readonly more: boolean;
  readonly isCut: boolean;
}

export class ProfileSearch {
  readonly #parts: ProfileSearchParts;

  constructor(parts: ProfileSearchParts) {
    this.#parts = parts;
  }

  /** @throws KithError `too-large`, `search-too-short`, `supernode-unreachable` if no holder answers */
  async search(text: string, after: Rank | null): Promise<SearchPage> {
    const query = parseQuery(text);
    let page: SearchPage | null = null;
    for (let term = 0; term < Math.min(MAX_TERMS, query.terms.length); term++) {
      page = await this.#searchBy(query, text, term, after);
      if (!page.isCut) break;
    }
    return page as SearchPage;
  }

  /** The latest profile of a user, by whichever of two holders of the handle has it; null: none is known. */
  async latestOf(userId: UserId, handle: string): Promise<Signed<Profile> | null> {
    const [term] = searchTerms([handle]);
    const holders = term === undefined ? [] : this.#holders(term);
    const known = await Promise.all(
      holders.slice(0, WITNESSES).map((holder) => this.#known(holder, [userId]).catch(() => null)),
    );
    if (known.every((answer) => answer === null)) throw new KithError("supernode-unreachable");
    return newest(known.flatMap((answer) => answer ?? []));
  }

  async #searchBy(query: SearchQuery, text: string, term: number, after: Rank | null): Promise<SearchPage> {
    const holders = this.#holders(query.terms[term] as string);
    const rest = [...holders];
    const pages = await this.#askTwo(rest, async (holder) => {
      const answer = await this.#parts.peers.call(holder, "searchProfiles", { text, term, after });
      return this.#believed(holder, () => trustPage(this.#parts.anchor, query, after, holder, answer));
    });
    const { found, more, isCut, disputed } = mergePages(pages, LIMITS.searchPageSize);
    if (disputed.size === 0) return { found, more, isCut };
    const witnesses = [...new Set([...disputed.values(), ...rest])].slice(0, WITNESSES);
    const asked = pages.map(({ holder }) => holder);
    return { found: await this.#settled(query, found, disputed, { asked, witnesses }), more, isCut };
  }

  /** The page without those who, as others know, are not findable by this any more. */
  async #settled(
    query: SearchQuery,
    found: readonly Found[],
    disputed: ReadonlyMap<UserId, SupernodeId>,
    { asked, witnesses }: { readonly asked: readonly SupernodeId[]; readonly witnesses: readonly SupernodeId[] },
  ): Promise<Found[]> {
    const { metrics } = this.#parts;
    const userIds = [...disputed.keys()];
    const told = await Promise.all(witnesses.map((holder) => this.#known(holder, userIds).catch(() => [])));
    const latest = (userId: UserId) => newest(told.flat().filter(({ value }) => value.userId === userId));
    return found.flatMap((one) => {
      if (!disputed.has(one.rank.userId)) return [one];
      const newer = latest(one.rank.userId);
      if (!newer || newer.value.sequence <= one.profile.value.sequence) {
        metrics.faults.withheld++;
        this.#remind([disputed.get(one.rank.userId) as SupernodeId], one.profile);
        return [one];
      }
      metrics.faults.outdated++;
      this.#remind(asked, newer);
      const rank = rankOf(query, newer);
      return rank ? [{ profile: newer, rank }] : [];
    });
  }

  /** An honest holder may have missed it; a lying one is none the wiser. */
  #remind(holders: readonly SupernodeId[], { bytes }: Signed<Profile>): void {
    for (const holder of holders) {
      this.#parts.peers.call(holder, "storeProfile", { profile: bytes }).catch(() => undefined);
    }
  }

  async #known(holder: SupernodeId, userIds: UserId[]): Promise<Signed<Profile>[]> {
    const { anchor, peers } = this.#parts;
    const { profiles } = await peers.call(holder, "knownProfiles", { userIds });
    return this.#believed(holder, () =>
      profiles.map((bytes) => {
        const profile = trustProfile(anchor, bytes);
        if (!userIds.includes(profile.value.userId)) throw new KithError("signature-invalid", { what: "a profile" });
        return profile;
      }),
    );
  }

  /** This supernode first if it is one, those that do not answer or have lied last. */
  #holders(term: string): SupernodeId[] {
    const { self, membership, peers } = this.#parts;
    const rank = (holder: SupernodeId) => (holder === self ? 0 : peers.isGood(holder) ? 1 : 2);
    return holdersOf(searchKey(term), membership.members().keys()).sort((a, b) => rank(a) - rank(b));
  }

  #believed<T>(holder: SupernodeId, check: () => T): T {
    try {
      return check();
    } catch (error) {
      this.#parts.metrics.faults.forged++;
      this.#parts.peers.accuse(holder, error);
      throw error;
    }
  }

  /** @param holders are taken from the front: those left over have not been asked */
  #askTwo(holders: SupernodeId[], ask: (holder: SupernodeId) => Promise<HolderPage>): Promise<HolderPage[]> {
    const { times, metrics } = this.#parts;
    const pages: HolderPage[] = [];
    let running = 0;
    return new Promise((resolve, reject) => {
      let isOver = false;
      let hedge: NodeJS.Timeout | undefined;
      const finish = () => {
        isOver = true;
        clearTimeout(hedge);
        clearTimeout(patience);
        if (pages.length > 0) resolve(pages);
        else reject(new KithError("supernode-unreachable"));
      };
      const patience = setTimeout(finish, times.searchMs);
      const settle = () => {
        if (!isOver && (pages.length >= ANSWERS || running === 0)) finish();
      };
      const next = () => {
        const holder = holders.shift();
        if (holder === undefined || isOver) return;
        running++;
        ask(holder)
          .then(
            (page) => void pages.push(page),
            (error: unknown) => {
              const isSilent = error instanceof KithError && ["timeout", "supernode-unreachable"].includes(error.code);
              if (!isForged(error)) metrics.faults[isSilent ? "silent" : "refused"]++;
              next();
            },
          )
          .finally(() => {
            running--;
            settle();
          });
      };
      const waitLonger = () => {
        hedge = setTimeout(() => {
          next();
          waitLonger();
        }, times.hedgeMs);
      };
      for (let count = 0; count < ANSWERS; count++) next();
      waitLonger();
      settle();
    });
  }
}

/** Counted already. */
function isForged(error: unknown): boolean {
  return error instanceof KithError && error.code === "signature-invalid";
}

function newest(profiles: readonly Signed<Profile>[]): Signed<Profile> | null {
  return profiles.reduce<Signed<Profile> | null>(
    (best, one) => (best && best.value.sequence >= one.value.sequence ? best : one),
    null,
  );
}
