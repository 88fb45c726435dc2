/** Which supernodes have asked to be told of what: users' leases, or inboxes. */
import { KithError } from "../../protocol/errors.ts";
import type { LinkPeer } from "../links/link-peer.ts";

export class WatchRegistry<Key extends string> {
  readonly #watchers = new Map<Key, Set<LinkPeer>>();
  readonly #watched = new Map<LinkPeer, Set<Key>>();
  readonly #maxPerPeer: number;

  constructor(maxPerPeer: number) {
    this.#maxPerPeer = maxPerPeer;
  }

  /** @throws KithError `too-large` before anything is added */
  add(peer: LinkPeer, keys: readonly Key[]): void {
    const watched = this.#watched.get(peer) ?? new Set<Key>();
    if (watched.size + keys.length > this.#maxPerPeer) {
      throw new KithError("too-large", { what: "watch", limit: this.#maxPerPeer });
    }
    this.#watched.set(peer, watched);
    for (const key of keys) {
      watched.add(key);
      const watchers = this.#watchers.get(key) ?? new Set<LinkPeer>();
      this.#watchers.set(key, watchers.add(peer));
    }
  }

  remove(peer: LinkPeer, keys: Iterable<Key>): void {
    const watched = this.#watched.get(peer);
    if (!watched) return;
    for (const key of keys) {
      watched.delete(key);
      const watchers = this.#watchers.get(key);
      watchers?.delete(peer);
      if (watchers?.size === 0) this.#watchers.delete(key);
    }
    if (watched.size === 0) this.#watched.delete(peer);
  }

  /** The peer's link is gone, and all that it watched with it. */
  drop(peer: LinkPeer): void {
    this.remove(peer, [...(this.#watched.get(peer) ?? [])]);
  }

  watchersOf(key: Key): Iterable<LinkPeer> {
    return this.#watchers.get(key) ?? [];
  }
}
