/** What the home supernodes say of the devices that somebody here watches. */
import type { InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import type { InboxChange } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import { SubscriptionSet } from "../links/subscription-set.ts";

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

/** Where a device is said to be. An inbox is its home's to name: of another home the same one is another one. */
export interface Whereabouts {
  readonly home: SupernodeId;
  readonly inbox: InboxId;
}

interface WatchedInbox {
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
  readonly #inboxes = new Map<string, WatchedInbox>();
  readonly #homes = new Map<SupernodeId, HomeSubscription>();

  constructor(peers: Peers, random: () => number) {
    this.#peers = peers;
    this.#random = random;
    peers.listen({
      pushed: (from, push) => {
        if (push.name === "inboxChanged") this.#changed(from, push.value);
      },
      lost: (supernodeId) => this.#homes.get(supernodeId)?.inboxes.lost(),
      returned: (supernodeId) => this.#homes.get(supernodeId)?.inboxes.hurry(),
    });
  }

  /**
   * Asks the home, and anew if it has said `gone` before: someone hidden may show themselves again.
   * @param listener is told whenever `livenessOf` this inbox has changed
   */
  watch(where: Whereabouts, listener: () => void): void {
    const watched = this.#inboxes.get(keyOf(where)) ?? { liveness: ASKING, listeners: new Set<() => void>() };
    watched.listeners.add(listener);
    if (watched.liveness.kind === "gone") watched.liveness = ASKING;
    this.#inboxes.set(keyOf(where), watched);
    this.#homeOf(where.home).inboxes.want(where.inbox);
  }

  unwatch(where: Whereabouts, listener: () => void): void {
    const watched = this.#inboxes.get(keyOf(where));
    if (!watched?.listeners.delete(listener) || watched.listeners.size > 0) return;
    this.#inboxes.delete(keyOf(where));
    this.#unwant(where);
  }

  livenessOf(where: Whereabouts): Liveness {
    return this.#inboxes.get(keyOf(where))?.liveness ?? ASKING;
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
          for (const inbox of inboxes) this.#set({ home, inbox }, UNREACHABLE);
        },
      }),
    };
    this.#homes.set(home, subscription);
    return subscription;
  }

  #changed(home: SupernodeId, { inbox, state, sealedStatus, lastSeenAt }: InboxChange): void {
    if (state === "online") {
      this.#set({ home, inbox }, { kind: "online", sealedStatus: Uint8Array.from(sealedStatus) });
      return;
    }
    // A socket that has closed never opens again: there is nothing more to be told.
    this.#unwant({ home, inbox });
    this.#set({ home, inbox }, { kind: "gone", lastSeenAt });
  }

  #unwant({ home, inbox }: Whereabouts): void {
    const subscription = this.#homes.get(home);
    if (!subscription) return;
    subscription.inboxes.unwant(inbox);
    if (subscription.inboxes.isEmpty) subscription.release();
  }

  #set(where: Whereabouts, liveness: Liveness): void {
    const watched = this.#inboxes.get(keyOf(where));
    if (!watched || (watched.liveness.kind === "unreachable" && liveness.kind === "unreachable")) return;
    watched.liveness = liveness;
    for (const listener of watched.listeners) listener();
  }
}

function keyOf({ home, inbox }: Whereabouts): string {
  return `${home}/${inbox}`;
}
