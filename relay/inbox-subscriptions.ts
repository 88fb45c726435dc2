/** What the home supernodes say of the devices that somebody here watches. */
import type { InboxId, SupernodeId } from "../protocol/identifiers.ts";
import type { InboxChange } from "./link-peer.ts";
import type { Peers } from "./peers.ts";
import { SubscriptionSet } from "./subscription-set.ts";

/** How a device is doing, by the word of its home. */
export type Liveness =
  /** The home has not answered yet. */
  | { readonly kind: "asking" }
  | { readonly kind: "online"; readonly sealedStatus: Uint8Array }
  /** `lastSeenAt` is 0 if the home does not know. */
  | { readonly kind: "gone"; readonly lastSeenAt: number }
  /** The home does not answer. */
  | { readonly kind: "unreachable" };

const ASKING: Liveness = { kind: "asking" };
const UNREACHABLE: Liveness = { kind: "unreachable" };

interface WatchedInbox {
  readonly home: SupernodeId;
  liveness: Liveness;
  readonly listeners: Set<() => void>;
}

interface HomeSubscription {
  readonly inboxes: SubscriptionSet<InboxId>;
  release: () => void;
}

export class InboxSubscriptions {
  readonly #peers: Peers;
  readonly #random: () => number;
  readonly #inboxes = new Map<InboxId, WatchedInbox>();
  readonly #homes = new Map<SupernodeId, HomeSubscription>();

  constructor(peers: Peers, random: () => number) {
    this.#peers = peers;
    this.#random = random;
    peers.listen({
      pushed: (from, push) => {
        if (push.name === "inboxChanged") this.#changed(from, push.value);
      },
      lost: (supernodeId) => this.#homes.get(supernodeId)?.inboxes.lost(),
    });
  }

  /** @param listener is told whenever `livenessOf` this inbox has changed. */
  watch(home: SupernodeId, inbox: InboxId, listener: () => void): void {
    const watched = this.#inboxes.get(inbox) ?? { home, liveness: ASKING, listeners: new Set<() => void>() };
    watched.listeners.add(listener);
    this.#inboxes.set(inbox, watched);
    this.#homeOf(watched.home).inboxes.want(inbox);
  }

  unwatch(inbox: InboxId, listener: () => void): void {
    const watched = this.#inboxes.get(inbox);
    if (!watched?.listeners.delete(listener) || watched.listeners.size > 0) return;
    this.#inboxes.delete(inbox);
    const home = this.#homes.get(watched.home);
    if (!home) return;
    home.inboxes.unwant(inbox);
    if (home.inboxes.isEmpty) home.release();
  }

  livenessOf(inbox: InboxId): Liveness {
    return this.#inboxes.get(inbox)?.liveness ?? ASKING;
  }

  close(): void {
    for (const { inboxes } of this.#homes.values()) inboxes.close();
  }

  #homeOf(home: SupernodeId): HomeSubscription {
    const known = this.#homes.get(home);
    if (known) return known;
    const subscription: HomeSubscription = {
      release: () => undefined,
      inboxes: new SubscriptionSet<InboxId>({
        random: this.#random,
        send: async (add, remove) => {
          await this.#peers.call(home, "watchInboxes", { add, remove });
          subscription.release();
          subscription.release = subscription.inboxes.isEmpty ? () => undefined : this.#peers.hold(home);
        },
        // What the home says arrives as pushes, before the answer to the request.
        confirmed: () => undefined,
        failed: (inboxes) => {
          for (const inbox of inboxes) this.#set(inbox, UNREACHABLE);
        },
      }),
    };
    this.#homes.set(home, subscription);
    return subscription;
  }

  #changed(from: SupernodeId, { inbox, state, sealedStatus, lastSeenAt }: InboxChange): void {
    // Only the home has a say.
    if (this.#inboxes.get(inbox)?.home !== from) return;
    this.#set(
      inbox,
      state === "online"
        ? { kind: "online", sealedStatus: Uint8Array.from(sealedStatus) }
        : { kind: "gone", lastSeenAt },
    );
  }

  #set(inbox: InboxId, liveness: Liveness): void {
    const watched = this.#inboxes.get(inbox);
    if (!watched || (watched.liveness.kind === "unreachable" && liveness.kind === "unreachable")) return;
    watched.liveness = liveness;
    for (const listener of watched.listeners) listener();
  }
}
