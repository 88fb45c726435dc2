/** What a running party believes of its network's keys: grows as news of them come in, from wherever they come. */
import type { NetworkId } from "./identifiers.ts";
import { decodeSuccessions } from "./network-key.ts";
import { encodeChain, type Followed, firstChain, follow, type NetworkKeyChain } from "./network-key-chain.ts";
import type { TrustAnchor } from "./trust.ts";

/** What another key's coming meant: it was followed, or is for a person to confirm, or contradicts what is known. */
export type KeyNews = Exclude<Followed["kind"], "same" | "behind">;

export class NetworkTrust {
  /** Always as far as is known; whoever holds it need not be told of another key. */
  readonly anchor: TrustAnchor;
  readonly #listeners: ((news: KeyNews) => void)[] = [];
  #chain: NetworkKeyChain;
  #confirmed: NetworkId | null;

  /** @param confirmed as `follow` takes it */
  constructor(chain: NetworkKeyChain, now: () => number, confirmed: NetworkId | null = null) {
    this.#chain = chain;
    this.#confirmed = confirmed;
    const current = () => this.#chain;
    this.anchor = {
      networkId: chain.networkId,
      now,
      get keys() {
        return current();
      },
      learn: (successions) => this.take(successions),
    };
  }

  get chain(): NetworkKeyChain {
    return this.#chain;
  }

  /** The successions as they are passed on. */
  get bytes(): Uint8Array {
    return encodeChain(this.#chain);
  }

  /** Told of another chain, and of each that contradicts it. */
  onNews(listener: (news: KeyNews) => void): void {
    this.#listeners.push(listener);
  }

  /** A person says that the key with this fingerprint is the network's. */
  confirm(fingerprint: NetworkId): void {
    this.#confirmed = fingerprint;
    this.take(this.bytes);
  }

  /**
   * Successions that somebody shows, checked here.
   * @throws KithError `malformed`, `too-large`, `network-key-forged`, `clock-skew`
   */
  take(successions: Uint8Array): Followed["kind"] {
    const followed = follow(this.#chain, decodeSuccessions(successions), this.anchor.now(), this.#confirmed);
    const isNews = followed.kind === "forked" || ("chain" in followed && followed.chain !== this.#chain);
    if ("chain" in followed) this.#chain = followed.chain;
    if (isNews) for (const listener of this.#listeners) listener(followed.kind as KeyNews);
    return followed.kind;
  }
}

/** For a network of which no more than its first key is known. */
export function trustAnchor(networkKey: Uint8Array, now: () => number): TrustAnchor {
  return new NetworkTrust(firstChain(networkKey), now).anchor;
}
