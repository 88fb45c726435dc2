/**
 * Where a user's record lives: rendezvous hashing (Thaler and Ravishankar, "Using
 * name-based mappings to increase hit rates", 1998). Every party that knows the same
 * members computes the same holders, and a member's death moves only its own share.
 */

import type { SearchKey, SupernodeId, UserId } from "./identifiers.ts";
import { LEASE_REPLICAS } from "./limits.ts";

/** What has a place: a user's record, or the profiles under a word beginning. */
export type Placed = UserId | SearchKey;

/** The `count` supernodes that hold `placed`, the most responsible first. */
export function holdersOf(
  placed: Placed,
  members: Iterable<SupernodeId>,
  count: number = LEASE_REPLICAS,
): SupernodeId[] {
  const user = words(placed);
  const best: { id: SupernodeId; score: number }[] = [];
  for (const id of members) {
    const score = weight(user, words(id));
    let place = best.length;
    while (place > 0 && isBefore(id, score, best[place - 1] as { id: SupernodeId; score: number })) place--;
    if (place < count) {
      best.splice(place, 0, { id, score });
      if (best.length > count) best.pop();
    }
  }
  return best.map((entry) => entry.id);
}

function isBefore(id: SupernodeId, score: number, other: { id: SupernodeId; score: number }): boolean {
  return score > other.score || (score === other.score && id < other.id);
}

/** Both IDs are uniform already (a hash, or the login server's dice), so 64 bits of each are enough. */
function words(id: string): readonly [number, number] {
  return [Number.parseInt(id.slice(0, 8), 16), Number.parseInt(id.slice(8, 16), 16)];
}

/** 53 well-mixed bits of the pair, by the finaliser of MurmurHash3 (Appleby, public domain). */
function weight(user: readonly [number, number], member: readonly [number, number]): number {
  const high = mix(user[0] ^ mix(member[0] ^ mix(user[1] ^ mix(member[1]))));
  const low = mix(high ^ user[1] ^ member[0]);
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}

/** A bijection of 32-bit words (signed in, signed out) that leaves no trace of their order: MurmurHash3's finaliser. */
export function mix(word: number): number {
  let value = word | 0;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
