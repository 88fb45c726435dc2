/**
 * Handles that people would take for one another. The alphabet of handles is ASCII, which
 * leaves no confusable of another script; what is left are the ASCII rows of the table of
 * Unicode Technical Standard #39 (confusables.txt), section 4, over small letters.
 */
import { createHash } from "node:crypto";
import { DEPARTED_HANDLE } from "../../protocol/login-api.ts";

/**
 * One character becomes what it looks like, and never several become one: so `c1aire`, `claire` and `daire` come out the
 * same whatever is replaced first. `i` joins `l` and `1`: many fonts tell the three apart by a serif at most.
 */
const LOOK_ALIKES: readonly (readonly [RegExp, string])[] = [
  [/[._-]+/g, "-"],
  // A mark at either end is easily overlooked.
  [/^-|-$/g, ""],
  [/m/g, "rn"],
  [/w/g, "vv"],
  [/d/g, "cl"],
  [/0/g, "o"],
  [/[1i]/g, "l"],
];

/** Names that only the network's host may speak under. */
const RESERVED = [
  "abuse",
  "admin",
  "administrator",
  "anonymous",
  DEPARTED_HANDLE,
  "echo",
  "everyone",
  "help",
  "helpdesk",
  "host",
  "hostmaster",
  "info",
  "kith",
  "login",
  "login-server",
  "moderator",
  "network",
  "nobody",
  "null",
  "official",
  "operator",
  "owner",
  "password",
  "postmaster",
  "root",
  "security",
  "self",
  "service",
  "staff",
  "supernode",
  "support",
  "system",
  "undefined",
  "webmaster",
];

/** What all handles that look like this one have in common. */
export function handleSkeleton(handle: string): string {
  return LOOK_ALIKES.reduce((text, [alike, one]) => text.replace(alike, one), handle);
}

/** `ad-min` reads as `admin` does. */
const withoutMarks = (handle: string) => handleSkeleton(handle).replaceAll("-", "");
const RESERVED_SKELETONS: ReadonlySet<string> = new Set(RESERVED.map(withoutMarks));

export function isReserved(handle: string): boolean {
  return RESERVED_SKELETONS.has(withoutMarks(handle));
}

/** Under which a handle is claimed: a hash, so that a deleted account's name is not kept with the claim that outlives it. */
export function claimOf(handle: string): string {
  return createHash("sha256").update("kith handle claim 2\0").update(handleSkeleton(handle)).digest("hex");
}
