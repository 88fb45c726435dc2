/**
 * How two people stand to each other, and what each action makes of it. Both lists always
 * mirror each other, so the actor's own line alone decides.
 */
import type { z } from "zod";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { BuddyState as BuddyStateSchema } from "../../protocol/login-api.ts";

export type BuddyState = z.infer<typeof BuddyStateSchema>;
export type BuddyAction = "request" | "accept" | "decline" | "remove";

export type BuddyOutcome =
  | { readonly kind: "changed"; readonly mine: BuddyState; readonly theirs: BuddyState }
  /** The same action came again: its effect is there already. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly code: ErrorCode };

const BEFRIENDED: BuddyOutcome = { kind: "changed", mine: "buddy", theirs: "buddy" };
const ASKED: BuddyOutcome = { kind: "changed", mine: "asked-by-me", theirs: "asks-me" };
const PARTED: BuddyOutcome = { kind: "changed", mine: "removed", theirs: "removed" };
const UNCHANGED: BuddyOutcome = { kind: "unchanged" };
const refused = (code: ErrorCode): BuddyOutcome => ({ kind: "refused", code });

/** `none`: the two have never had to do with each other. */
const OUTCOMES: Record<BuddyAction, Record<BuddyState | "none", BuddyOutcome>> = {
  request: {
    none: ASKED,
    removed: ASKED,
    // Two requests that cross are an agreement.
    "asks-me": BEFRIENDED,
    "asked-by-me": refused("already-requested"),
    buddy: refused("already-buddies"),
  },
  accept: {
    none: refused("no-such-request"),
    removed: refused("no-such-request"),
    "asks-me": BEFRIENDED,
    "asked-by-me": refused("no-such-request"),
    buddy: UNCHANGED,
  },
  decline: {
    none: refused("no-such-request"),
    removed: UNCHANGED,
    "asks-me": PARTED,
    "asked-by-me": refused("no-such-request"),
    buddy: refused("no-such-request"),
  },
  remove: {
    none: UNCHANGED,
    removed: UNCHANGED,
    "asks-me": PARTED,
    "asked-by-me": PARTED,
    buddy: PARTED,
  },
};

/** @param mine the actor's line about the other person, null if there is none. */
export function buddyOutcome(action: BuddyAction, mine: BuddyState | null): BuddyOutcome {
  return OUTCOMES[action][mine ?? "none"];
}
