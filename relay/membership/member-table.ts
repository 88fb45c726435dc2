/** All other supernodes that this one knows, with the round of probes and the digest that follow from it. */

import { DIGEST_BUCKETS } from "../../protocol/gossip-message.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { mix } from "../../protocol/placement.ts";
import type { Peer, PeerStatus } from "./peer.ts";

export class MemberTable {
  readonly #peers = new Map<SupernodeId, Peer>();
  /** The live ones, in the order of the present round: everybody is probed once a round (SWIM, section 4.3). */
  readonly #round: Peer[] = [];
  readonly #dead: Peer[] = [];
  #nextProbe = 0;
  readonly #hashes = new Uint32Array(DIGEST_BUCKETS);
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get(id: SupernodeId): Peer | undefined {
    return this.#peers.get(id);
  }

  all(): Iterable<Peer> {
    return this.#peers.values();
  }

  get live(): readonly Peer[] {
    return this.#round;
  }

  get dead(): readonly Peer[] {
    return this.#dead;
  }

  add(peer: Peer): void {
    this.#peers.set(peer.id, peer);
  }

  remove(peer: Peer): void {
    this.setStatus(peer, "candidate", peer.statusSince);
    this.#peers.delete(peer.id);
  }

  setStatus(peer: Peer, status: PeerStatus, now: number): void {
    const former = this.#listOf(peer.status);
    const list = this.#listOf(status);
    peer.status = status;
    peer.statusSince = now;
    if (former === list) return;
    if (former) this.#takeFrom(former, peer);
    if (list) this.#putInto(list, peer);
    if (former === this.#round || list === this.#round) this.count(peer.id, peer.announcement.value.incarnation);
  }

  /** Replaces a peer's announcement and keeps the digest in step. */
  setAnnouncement(peer: Peer, announcement: Peer["announcement"]): void {
    if (peer.isLive) this.count(peer.id, peer.announcement.value.incarnation);
    peer.announcement = announcement;
    if (peer.isLive) this.count(peer.id, announcement.value.incarnation);
  }

  /** Puts an announcement into the digest, or takes it out again: the hash is an exclusive or. */
  count(id: SupernodeId, incarnation: number): void {
    const bucket = bucketOf(id);
    this.#hashes[bucket] = ((this.#hashes[bucket] as number) ^ hashOf(id, incarnation)) >>> 0;
  }

  /** A copy, by the first byte of the IDs. */
  digest(): Uint32Array {
    return this.#hashes.slice();
  }

  /** The next live peer in the round, which is shuffled each time it begins. */
  nextToProbe(): Peer | undefined {
    if (this.#nextProbe >= this.#round.length) {
      this.#nextProbe = 0;
      for (let place = this.#round.length - 1; place > 0; place--) {
        swap(this.#round, place, Math.floor(this.#random() * (place + 1)));
      }
    }
    return this.#round[this.#nextProbe++];
  }

  /** Up to `count` different live peers at random, none of them `except`, and only of this status if one is given. */
  sample(count: number, except: SupernodeId | null, status: PeerStatus | null = null): Peer[] {
    const chosen = new Set<Peer>();
    // A few tries more than needed; a small network simply yields fewer.
    for (let tries = 0; chosen.size < count && tries < count * 4; tries++) {
      const peer = this.#anyOf(this.#round);
      if (peer && peer.id !== except && (status === null || peer.status === status)) chosen.add(peer);
    }
    return [...chosen];
  }

  anyDead(): Peer | undefined {
    return this.#anyOf(this.#dead);
  }

  #listOf(status: PeerStatus): Peer[] | null {
    if (status === "alive" || status === "suspect") return this.#round;
    return status === "dead" ? this.#dead : null;
  }

  #putInto(list: Peer[], peer: Peer): void {
    peer.place = list.length;
    list.push(peer);
    // Somewhere in the round, so that newcomers are not all probed last.
    swap(list, peer.place, Math.floor(this.#random() * list.length));
  }

  #takeFrom(list: Peer[], peer: Peer): void {
    swap(list, peer.place, list.length - 1);
    list.pop();
    peer.place = -1;
  }

  #anyOf(list: readonly Peer[]): Peer | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }
}

function swap(list: Peer[], a: number, b: number): void {
  const first = list[a] as Peer;
  const second = list[b] as Peer;
  list[a] = second;
  list[b] = first;
  second.place = a;
  first.place = b;
}

export function bucketOf(id: SupernodeId): number {
  return Number.parseInt(id.slice(0, 2), 16);
}

/** The first 32 bits of an ID. */
export function prefixOf(id: SupernodeId): number {
  return Number.parseInt(id.slice(0, 8), 16);
}

function hashOf(id: SupernodeId, incarnation: number): number {
  const high = Math.floor(incarnation / 2 ** 32);
  return mix(prefixOf(id) ^ mix((incarnation >>> 0) ^ mix(high + 1)));
}
