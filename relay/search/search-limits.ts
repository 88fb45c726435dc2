/** The bounds and times of search at a supernode, and what each of them stops. */
import { PROFILE_STORE_LIMITS, type StoreLimits } from "./profile-store.ts";
import type { Allowance } from "./search-allowance.ts";

export interface SearchLimits {
  /** Pages that one user may ask for: a person at a keyboard, not one who copies the directory. */
  readonly perUser: Allowance;
  /** Pages that another supernode may ask for: it speaks for thousands, who search now and then. */
  readonly perSupernode: Allowance;
  /** Profiles that one user may publish: each travels to a hundred supernodes. */
  readonly publishing: Allowance;
  readonly store: StoreLimits;
}

export const SEARCH_LIMITS: SearchLimits = {
  perUser: { burst: 30, perMinute: 10 },
  perSupernode: { burst: 600, perMinute: 1_200 },
  publishing: { burst: 20, perMinute: 2 },
  store: PROFILE_STORE_LIMITS,
};

export const SEARCH_TIMES = {
  /** How long a search waits in all, and how long before it asks one holder more. */
  searchMs: 4_000,
  hedgeMs: 300,
  /** Publishing waits this long for slow holders, as long as one has stored the profile. */
  publishSettleMs: 2_000,
  /** Profiles that a holder has missed are offered again after this. */
  republishMs: 20_000,
  /** A home sees to a profile that long after its device has published it last; devices do so hourly. */
  publicationMs: 2 * 3_600_000,
  /** After a change of membership, so that many are taken together. */
  settleMs: 500,
  /** Everything is offered to one of its other holders once in this time. */
  auditMs: 3_600_000,
  /** A hand-over that failed is tried again after this. */
  retryMs: 5_000,
  sweepMs: 60_000,
  /** What has changed is written to disk at least this often. */
  saveMs: 5 * 60_000,
} as const;

export type SearchTimes = { readonly [K in keyof typeof SEARCH_TIMES]: number };
