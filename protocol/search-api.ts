/** The methods of search: a node publishes its profile and searches; supernodes keep profiles for each other. */
import { z } from "zod";
import { utf8 } from "./bytes.ts";
import { bytesUpTo, Handle, UserId } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { MAX_PROFILE_BYTES } from "./profile.ts";
import { method, Nothing } from "./rpc.ts";

/** Profiles offered in one request; what of them is wanted follows one by one. */
export const MAX_OFFERED_PROFILES = 500;
/** A cursor is some 120 characters. */
const MAX_CURSOR_LENGTH = 400;

const profile = bytesUpTo(MAX_PROFILE_BYTES);
const profiles = z.array(profile).max(LIMITS.searchPageSize);
const limitBytes = LIMITS.maxSearchTextBytes;
const text = z.string().refine((typed) => typed.length <= limitBytes && utf8(typed).length <= limitBytes, {
  params: { limitBytes },
});

/** Ordinary node to its supernode. */
export const SEARCH_NODE_METHODS = {
  /** Puts the device's own profile, findable or withdrawn, where it is looked for. */
  publishProfile: method(z.strictObject({ profile }), Nothing),
  /** The latest profile of the asker's account, whichever of its devices has published it. */
  ownProfile: method(Nothing, z.strictObject({ profile: profile.nullable() })),
  /**
   * People by the beginnings of their words, best first, a page at a time.
   * @see cursor from the page before; null for the first. `isCut`: more people match than are kept or shown.
   */
  search: method(
    z.strictObject({ text, cursor: z.string().max(MAX_CURSOR_LENGTH).nullable() }),
    z.strictObject({ profiles, cursor: z.string().max(MAX_CURSOR_LENGTH).nullable(), isCut: z.boolean() }),
  ),
} as const;

/** A place in the order of what a search finds (profile-match.ts). */
export const RankField = z.strictObject({ score: z.number().int().nonnegative(), handle: Handle, userId: UserId });

/** Supernode to supernode. */
export const SEARCH_LINK_METHODS = {
  storeProfile: method(z.strictObject({ profile }), Nothing),
  /** Who has profiles that are the other's to hold offers them; answered with those that it lacks. */
  offerProfiles: method(
    z.strictObject({
      offered: z
        .array(z.strictObject({ userId: UserId, sequence: z.number().int().nonnegative() }))
        .max(MAX_OFFERED_PROFILES),
    }),
    z.strictObject({ wanted: z.array(UserId).max(MAX_OFFERED_PROFILES) }),
  ),
  /** A page of what is kept under the beginning with this place among the query's (search-term.ts), after `after`. */
  searchProfiles: method(
    z.strictObject({ text, term: z.number().int().min(0).max(LIMITS.maxSearchWords), after: RankField.nullable() }),
    z.strictObject({ profiles, more: z.boolean(), isCut: z.boolean() }),
  ),
  /** The latest profiles of these users that are known there, withdrawn ones too. */
  knownProfiles: method(
    z.strictObject({ userIds: z.array(UserId).max(LIMITS.searchPageSize) }),
    z.strictObject({ profiles }),
  ),
} as const;
