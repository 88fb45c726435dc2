/**
 * Placement (protocol/placement.ts) for many users under the same members: the members'
 * words are read once, so that a pass over a hundred thousand records takes a second and
 * not a minute. The same answers, which a test holds it to.
 */

import type { SupernodeId } from "../../protocol/identifiers.ts";
import { LEASE_REPLICAS } from "../../protocol/limits.ts";
import { mix, type Placed } from "../../protocol/placement.ts";

/** How many members are expected above the weight that `maybeHolds` asks for: far more than there are holders. */
const EXPECTED_ABOVE = 40;

export interface TableChanges {
  readonly joined: readonly SupernodeId[];
  readonly left: readonly SupernodeId[];
}

/** Of each member: the first 32 bits of its ID, and the second, mixed. */
interface MemberWords {
  readonly first: Int32Array;
  readonly mixedSecond: Int32Array;
}

export class PlacementTable {
  readonly members: readonly SupernodeId[];
  /** From an ID to its index plus one, by open addressing: a Map would take half of the table's memory. */
  readonly #slots: Int32Array;
  readonly #first: Int32Array;
  readonly #mixedSecond: Int32Array;
  readonly #changes = new WeakMap<PlacementTable, TableChanges>();
  /** Whoever weighs less is no holder, but once in a billion. */
  readonly #leastHigh: number;

  /** @param words if they are known: reading them is most of the work */
  constructor(members: Iterable<SupernodeId>, words?: MemberWords) {
    this.members = [...members];
    const { first, mixedSecond } = words ?? wordsOf(this.members);
    this.#first = first;
    this.#mixedSecond = mixedSecond;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * this.members.length + 2)));
    for (let index = 0; index < this.members.length; index++) {
      this.#slots[this.#slotOf(this.members[index] as SupernodeId, this.#first[index] as number)] = index + 1;
    }
    this.#leastHigh = 2 ** 32 * Math.max(0, 1 - EXPECTED_ABOVE / Math.max(1, this.members.length));
  }

  has(id: SupernodeId): boolean {
    return this.#indexOf(id) >= 0;
  }

  /** The table of these members after some have come and gone: made several times faster than anew. */
  after({ joined, left }: TableChanges): PlacementTable {
    const gone = new Uint8Array(this.members.length);
    for (const id of left) if (this.has(id)) gone[this.#indexOf(id)] = 1;
    const added = joined.filter((id) => !this.has(id));
    const stays = (_: unknown, index: number) => gone[index] === 0;
    const words = wordsOf(added);
    return new PlacementTable([...this.members.filter(stays), ...added], {
      first: joinedWords(this.#first.filter(stays), words.first),
      mixedSecond: joinedWords(this.#mixedSecond.filter(stays), words.mixedSecond),
    });
  }

  /** Who has come and gone since an earlier table. The same answer for everybody who shares both. */
  changesSince(former: PlacementTable): TableChanges {
    const known = this.#changes.get(former);
    if (known) return known;
    const changes = { joined: this.#without(former), left: former.#without(this) };
    this.#changes.set(former, changes);
    return changes;
  }

  /** As holdersOf. */
  holders(userId: Placed, count: number = LEASE_REPLICAS): SupernodeId[] {
    const first = Number.parseInt(userId.slice(0, 8), 16);
    const second = Number.parseInt(userId.slice(8, 16), 16);
    const best: number[] = [];
    const highs: number[] = [];
    for (let index = 0; index < this.members.length; index++) {
      const high = this.#high(first, second, index);
      if (best.length === count && high < (highs[count - 1] as number)) continue;
      let place = best.length;
      while (place > 0 && this.#isBefore(index, high, best[place - 1] as number, highs[place - 1] as number, second)) {
        place--;
      }
      best.splice(place, 0, index);
      highs.splice(place, 0, high);
      if (best.length > count) {
        best.pop();
        highs.pop();
      }
    }
    return best.map((index) => this.members[index] as SupernodeId);
  }

  /** False if this member is no holder of the user's records; true if it may be. Costs a thousandth of `holders`. */
  maybeHolds(userId: Placed, member: SupernodeId): boolean {
    const index = this.#indexOf(member);
    if (index < 0) return false;
    const high = this.#high(Number.parseInt(userId.slice(0, 8), 16), Number.parseInt(userId.slice(8, 16), 16), index);
    return high >= this.#leastHigh;
  }

  /** Those who are no members of the other table. */
  #without(other: PlacementTable): SupernodeId[] {
    return this.members.filter((id, index) => other.#slots[other.#slotOf(id, this.#first[index] as number)] === 0);
  }

  /** -1 if it is no member. */
  #indexOf(id: SupernodeId): number {
    return (this.#slots[this.#slotOf(id, Number.parseInt(id.slice(0, 8), 16) | 0)] as number) - 1;
  }

  /** Where the member is, or where it would be. */
  #slotOf(id: SupernodeId, first: number): number {
    const mask = this.#slots.length - 1;
    let slot = mix(first) & mask;
    for (;;) {
      const taken = this.#slots[slot] as number;
      if (taken === 0 || this.members[taken - 1] === id) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #high(first: number, second: number, index: number): number {
    const member = (this.#first[index] as number) ^ mix(second ^ (this.#mixedSecond[index] as number));
    return mix(first ^ mix(member)) >>> 0;
  }

  /** The low bits of the weight decide once in four billion pairs, then the ID. */
  #isBefore(index: number, high: number, other: number, otherHigh: number, second: number): boolean {
    if (high !== otherHigh) return high > otherHigh;
    const low = this.#low(high, second, index);
    const otherLow = this.#low(high, second, other);
    if (low !== otherLow) return low > otherLow;
    return (this.members[index] as SupernodeId) < (this.members[other] as SupernodeId);
  }

  #low(high: number, second: number, index: number): number {
    return mix(high ^ second ^ (this.#first[index] as number)) >>> 11;
  }
}

function wordsOf(members: readonly SupernodeId[]): MemberWords {
  return {
    first: Int32Array.from(members, (id) => Number.parseInt(id.slice(0, 8), 16)),
    mixedSecond: Int32Array.from(members, (id) => mix(Number.parseInt(id.slice(8, 16), 16))),
  };
}

function joinedWords(some: Int32Array, more: Int32Array): Int32Array {
  const all = new Int32Array(some.length + more.length);
  all.set(some);
  all.set(more, some.length);
  return all;
}
