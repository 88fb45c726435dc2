/** What this supernode has asked others about: who some member is that they have told of. */
import type { Wanted } from "../../protocol/gossip-message.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type GossipContext, send } from "./gossip-context.ts";
import type { Peer } from "./peer.ts";

/** Questions about one member, to whoever told of it last. */
const MAX_TRIES = 3;

/** In one message: with all certificates, the answer just fits into the packets that one request may be answered with. */
const WANTED_AT_ONCE = 30;

const NOBODY: readonly Peer[] = [];

interface Wish {
  /** Who is asked when the answer does not come. */
  source: Peer;
  readonly certificate: boolean;
  /** The source may know nothing of it. */
  isGuess: boolean;
  askedAt: number;
  tries: number;
}

export class Wishes {
  readonly #context: GossipContext;
  readonly #wishes = new Map<SupernodeId, Wish>();
  #unsent = new Map<Peer, Wanted[]>();

  constructor(context: GossipContext) {
    this.#context = context;
  }

  /**
   * Remembered until `flush`, so that one message asks for many.
   * @param certificate whether that is unknown as well
   */
  ask(source: Peer, supernodeId: SupernodeId, certificate: boolean): void {
    this.#wish(source, supernodeId, certificate, false);
  }

  /** As `ask`, of somebody who may not know it either. */
  guess(source: Peer, supernodeId: SupernodeId, certificate: boolean): void {
    this.#wish(source, supernodeId, certificate, true);
  }

  /** @returns whom it has asked */
  flush(): readonly Peer[] {
    if (this.#unsent.size === 0) return NOBODY;
    const unsent = this.#unsent;
    this.#unsent = new Map();
    for (const [peer, wanted] of unsent) {
      for (let from = 0; from < wanted.length; from += WANTED_AT_ONCE) {
        send(this.#context, peer, { type: "want", wanted: wanted.slice(from, from + WANTED_AT_ONCE) });
      }
    }
    return [...unsent.keys()];
  }

  #wish(source: Peer, supernodeId: SupernodeId, certificate: boolean, isGuess: boolean): void {
    const { now, times } = this.#context;
    const known = this.#wishes.get(supernodeId);
    const isOpen = known !== undefined && now - known.askedAt < times.wantRetryMs;
    // Perhaps only who vouches for it was not known, of whom the first answer said nothing.
    const asksForMore = certificate && known?.certificate === false;
    if (isOpen && !asksForMore && (isGuess || !known.isGuess)) {
      if (!isGuess) known.source = source;
      return;
    }
    const wish: Wish = { source, certificate, isGuess, askedAt: now, tries: 1 };
    this.#wishes.set(supernodeId, wish);
    this.#send(supernodeId, wish);
  }

  #send(supernodeId: SupernodeId, wish: Wish): void {
    const { agenda, now, times } = this.#context;
    const wanted = { supernodeId, certificate: wish.certificate };
    const unsent = this.#unsent.get(wish.source);
    if (unsent) unsent.push(wanted);
    else this.#unsent.set(wish.source, [wanted]);
    agenda.schedule(now + times.wantRetryMs, () => this.#retry(supernodeId, wish));
  }

  /** Question or answer may have been lost, and nobody tells the same news for ever. */
  #retry(supernodeId: SupernodeId, wish: Wish): void {
    const { table, self, now } = this.#context;
    if (this.#wishes.get(supernodeId) !== wish) return;
    if (supernodeId === self.id || table.get(supernodeId)?.voucher || wish.tries >= MAX_TRIES) {
      this.#wishes.delete(supernodeId);
      return;
    }
    wish.tries++;
    wish.askedAt = now;
    this.#send(supernodeId, wish);
  }
}
