/** What holders answer to a search, checked, and made one of two. */

import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { type Profile, trustProfile } from "../../protocol/profile.ts";
import { compareRanks, matchScore, profileWords, type Rank } from "../../protocol/profile-match.ts";
import type { Output } from "../../protocol/rpc.ts";
import type { SEARCH_LINK_METHODS } from "../../protocol/search-api.ts";
import type { SearchQuery } from "../../protocol/search-term.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";

export interface Found {
  readonly profile: Signed<Profile>;
  readonly rank: Rank;
}

/** One holder's page, in order. */
export interface HolderPage {
  readonly holder: SupernodeId;
  readonly found: readonly Found[];
  readonly more: boolean;
  readonly isCut: boolean;
}

/** The profile's place among what the query finds; null if it does not find it. */
export function rankOf(query: SearchQuery, { value }: Signed<Profile>): Rank | null {
  if (value.texts === null) return null;
  const score = matchScore(query.words, profileWords(value.handle, value.texts));
  return score === 0 ? null : { score, handle: value.handle, userId: value.userId };
}

/**
 * A page as it was answered. All of it holds, or nothing does.
 * @throws KithError `signature-invalid` and as trustProfile
 */
export function trustPage(
  anchor: TrustAnchor,
  query: SearchQuery,
  after: Rank | null,
  holder: SupernodeId,
  answer: Output<(typeof SEARCH_LINK_METHODS)["searchProfiles"]>,
): HolderPage {
  let last = after;
  const found = answer.profiles.map((bytes) => {
    const profile = trustProfile(anchor, bytes);
    const rank = rankOf(query, profile);
    // In its order, each once, and only what was asked for.
    if (!rank || (last && compareRanks(rank, last) <= 0)) throw new KithError("signature-invalid", { what: "a page" });
    last = rank;
    return { profile, rank };
  });
  return { holder, found, more: answer.more && found.length > 0, isCut: answer.isCut };
}

export interface MergedPage {
  readonly found: Found[];
  readonly more: boolean;
  readonly isCut: boolean;
  /** Found by one holder although another who was asked should have them too, by user: who lacks them. */
  readonly disputed: ReadonlyMap<UserId, SupernodeId>;
}

/** @param pages of at least one holder */
export function mergePages(pages: readonly HolderPage[], count: number): MergedPage {
  const best = new Map<UserId, Found>();
  for (const one of pages.flatMap(({ found }) => found)) {
    const present = best.get(one.rank.userId);
    if (!present || one.profile.value.sequence > present.profile.value.sequence) best.set(one.rank.userId, one);
  }
  const ordered = [...best.values()].sort((a, b) => compareRanks(a.rank, b.rank));
  const found = ordered.slice(0, count);
  const disputed = new Map<UserId, SupernodeId>();
  for (const { rank } of found) {
    const lacking = pages.find(
      (page) => reaches(page, rank) && !page.found.some((one) => one.rank.userId === rank.userId),
    );
    if (lacking) disputed.set(rank.userId, lacking.holder);
  }
  return {
    found,
    more: ordered.length > count || pages.some(({ more }) => more),
    // Whoever keeps them all says so; that some are missing one can say who lies.
    isCut: pages.every(({ isCut }) => isCut),
    disputed,
  };
}

/** Whether the page would show this place. */
function reaches({ found, more }: HolderPage, rank: Rank): boolean {
  const last = found.at(-1);
  return !more || (last !== undefined && compareRanks(rank, last.rank) <= 0);
}
