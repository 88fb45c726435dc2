/**
 * The profiles that a supernode keeps, by user and by the places of their word beginnings.
 * Of each user there is one, the latest; a withdrawn one stays until all that it supersedes
 * has lapsed, so that no earlier one comes back.
 */
import type { SearchKey, UserId } from "../../protocol/identifiers.ts";
import { type Profile, profileEndsAt, profileKeys } from "../../protocol/profile.ts";
import { compareRanks, matchScore, type ProfileWords, profileWords, type Rank } from "../../protocol/profile-match.ts";
import type { SearchQuery } from "../../protocol/search-term.ts";
import type { Signed } from "../../protocol/signed.ts";
import { BoundedHeap } from "./bounded-heap.ts";

/** One user's profile as it is kept. */
export interface KeptProfile {
  /** As it was signed. */
  readonly bytes: Uint8Array;
  readonly userId: UserId;
  readonly handle: Profile["handle"];
  readonly sequence: number;
  readonly endsAt: number;
  /** Null: withdrawn. */
  readonly words: ProfileWords | null;
  readonly buckets: readonly Bucket[];
}

/** Who is under one key. Most keys have one user alone, who then stands here alone. */
interface Bucket {
  readonly key: SearchKey;
  kept: KeptProfile | BoundedHeap<KeptProfile> | null;
  /** It had to give up some. */
  isCut: boolean;
}

export interface StoreLimits {
  /** Profiles in all: two and a half kilobytes of memory each. */
  readonly maxProfiles: number;
  /** Profiles under one word beginning: looking through these takes under ten milliseconds. */
  readonly maxPerKey: number;
}

export const PROFILE_STORE_LIMITS: StoreLimits = { maxProfiles: 100_000, maxPerKey: 10_000 };

/** `known`: this very version is there. `stale`: a newer one is. `full`: there is no room for another user. */
export type PutProfileResult = "stored" | "known" | "stale" | "full";

export interface FoundPage {
  readonly found: readonly KeptProfile[];
  /** There are others behind these. */
  readonly more: boolean;
  /** Some that match may not be kept here, because too many begin like this. */
  readonly isCut: boolean;
}

export class ProfileStore {
  readonly #limits: StoreLimits;
  readonly #byUser = new Map<UserId, KeptProfile>();
  readonly #byKey = new Map<SearchKey, Bucket>();

  constructor(limits: StoreLimits = PROFILE_STORE_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byUser.size;
  }

  /** @param profile trusted before (trustProfile) */
  put({ value, bytes }: Signed<Profile>): PutProfileResult {
    const present = this.#byUser.get(value.userId);
    if (present && value.sequence <= present.sequence) {
      return value.sequence === present.sequence ? "known" : "stale";
    }
    if (!present && this.#byUser.size >= this.#limits.maxProfiles) return "full";
    if (present) this.#remove(present);
    const kept: KeptProfile = {
      // What was received is a view of a network buffer many times its size.
      bytes: Uint8Array.from(bytes),
      userId: value.userId,
      handle: value.handle,
      sequence: value.sequence,
      endsAt: profileEndsAt(value),
      words: value.texts && profileWords(value.handle, value.texts),
      buckets: profileKeys(value).map((key) => this.#bucket(key)),
    };
    this.#byUser.set(kept.userId, kept);
    for (const bucket of kept.buckets) this.#index(bucket, kept);
    return "stored";
  }

  get(userId: UserId, now: number): KeptProfile | null {
    const kept = this.#byUser.get(userId);
    return kept && kept.endsAt > now ? kept : null;
  }

  /** The users under a key, withdrawn ones too: for handing them over. */
  under(key: SearchKey): readonly KeptProfile[] {
    const bucket = this.#byKey.get(key);
    return bucket ? listOf(bucket) : [];
  }

  keys(): IterableIterator<SearchKey> {
    return this.#byKey.keys();
  }

  all(): IterableIterator<KeptProfile> {
    return this.#byUser.values();
  }

  /** @param key of one of the query's terms */
  search(key: SearchKey, query: SearchQuery, after: Rank | null, count: number, now: number): FoundPage {
    const best: { rank: Rank; kept: KeptProfile }[] = [];
    let more = false;
    for (const kept of this.under(key)) {
      if (!kept.words || kept.endsAt <= now) continue;
      const score = matchScore(query.words, kept.words);
      if (score === 0) continue;
      const rank = { score, handle: kept.handle, userId: kept.userId };
      if (after && compareRanks(rank, after) <= 0) continue;
      let place = best.length;
      while (place > 0 && compareRanks(rank, (best[place - 1] as { rank: Rank }).rank) < 0) place--;
      if (place < count) best.splice(place, 0, { rank, kept });
      if (place >= count || best.length > count) more = true;
      if (best.length > count) best.pop();
    }
    return { found: best.map(({ kept }) => kept), more, isCut: this.#byKey.get(key)?.isCut ?? false };
  }

  /** Forgets what has lapsed. Returns how many users that were. */
  expire(now: number): number {
    const before = this.#byUser.size;
    for (const kept of this.#byUser.values()) {
      if (kept.endsAt > now) continue;
      this.#remove(kept);
      this.#byUser.delete(kept.userId);
    }
    for (const bucket of this.#byKey.values()) {
      // What was given up may lapse elsewhere too, and whoever is online publishes anew.
      if (bucket.isCut && listOf(bucket).length < this.#limits.maxPerKey / 2) bucket.isCut = false;
    }
    return before - this.#byUser.size;
  }

  #bucket(key: SearchKey): Bucket {
    const present = this.#byKey.get(key);
    if (present) return present;
    const bucket: Bucket = { key, kept: null, isCut: false };
    this.#byKey.set(key, bucket);
    return bucket;
  }

  #index(bucket: Bucket, kept: KeptProfile): void {
    if (bucket.kept === null) {
      bucket.kept = kept;
      return;
    }
    if (!(bucket.kept instanceof BoundedHeap)) {
      const heap = new BoundedHeap<KeptProfile>(this.#limits.maxPerKey, isLessWanted);
      heap.add(bucket.kept);
      bucket.kept = heap;
    }
    if (!bucket.kept.add(kept)) bucket.isCut = true;
  }

  #remove(kept: KeptProfile): void {
    for (const bucket of kept.buckets) {
      if (bucket.kept instanceof BoundedHeap) bucket.kept.delete(kept);
      else if (bucket.kept === kept) bucket.kept = null;
      if (listOf(bucket).length === 0) this.#byKey.delete(bucket.key);
    }
  }
}

function listOf({ kept }: Bucket): readonly KeptProfile[] {
  if (kept === null) return [];
  return kept instanceof BoundedHeap ? kept.items : [kept];
}

/** Whoever has been away longest; of those, by an order that all holders share, so that they keep the same people. */
function isLessWanted(a: KeptProfile, b: KeptProfile): boolean {
  return a.endsAt < b.endsAt || (a.endsAt === b.endsAt && a.userId > b.userId);
}
