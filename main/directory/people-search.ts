/** Looking for people: the home supernode finds them; what it answers is checked again here. */
import type { UserId } from "../../protocol/identifiers.ts";
import type { PersonView } from "../../protocol/ipc-schema.ts";
import { trustProfile } from "../../protocol/profile.ts";
import { matchScore, profileWords } from "../../protocol/profile-match.ts";
import type { Caller } from "../../protocol/rpc.ts";
import { parseQuery, type SearchQuery } from "../../protocol/search-term.ts";
import type { NODE_METHODS } from "../../protocol/supernode-api.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Log } from "../core/log.ts";

export interface PeopleSearchParts {
  readonly request: Caller<typeof NODE_METHODS>;
  readonly anchor: TrustAnchor;
  /** Not shown to themselves. */
  readonly self: UserId;
  readonly log: Log;
}

export interface PeoplePage {
  readonly people: PersonView[];
  readonly cursor: string | null;
  readonly isCut: boolean;
}

/**
 * One page of the people that a text finds.
 * @throws KithError `search-too-short`, `too-large`, `not-attached`, `rate-limited`, `search-expired`, and those of the request
 */
export async function searchPeople(
  { request, anchor, self, log }: PeopleSearchParts,
  text: string,
  cursor: string | null,
): Promise<PeoplePage> {
  const query = parseQuery(text);
  const page = await request("search", { text, cursor });
  const people = page.profiles.flatMap((bytes) => {
    try {
      return personOf(anchor, query, bytes);
    } catch (error) {
      log.warn("the home supernode passed on a profile that does not hold", { cause: error });
      return [];
    }
  });
  return {
    people: people.filter(({ userId }) => userId !== self),
    cursor: page.cursor,
    isCut: page.isCut,
  };
}

function personOf(anchor: TrustAnchor, query: SearchQuery, bytes: Uint8Array): PersonView[] {
  const { userId, handle, texts } = trustProfile(anchor, bytes).value;
  if (texts === null || matchScore(query.words, profileWords(handle, texts)) === 0) return [];
  return [{ userId, handle, displayName: texts.displayName, words: texts.words }];
}
