/** What a running party believes of its network's keys: grows as news of them come in, from wherever they come. */
import type { NetworkId } from "./identifiers.ts";
import { decodeSuccessions, encodeSuccessions } from "./network-key.ts";
import { type Followed, follow, type NetworkKeyChain } from "./network-key-chain.ts";
import type { TrustAnchor } from "./trust.ts";

export class NetworkTrust {
  /** Always as far as is known; whoever holds it need not be told of another key. */
  readonly anchor: TrustAnchor;
  readonly #changed: (chain: NetworkKeyChain) => void;
  #chain: NetworkKeyChain;
  #confirmed: NetworkId | null;

  /**
   * @param changed told of every other chain, so that it is kept
   * @param confirmed as `follow` takes it
   */
  constructor(
    chain: NetworkKeyChain,
    now: () => number,
    changed: (chain: NetworkKeyChain) => void = () => undefined,
    confirmed: NetworkId | null = null,
  ) {
    this.#chain = chain;
    this.#changed = changed;
    this.#confirmed = confirmed;
    const current = () => this.#chain;
    this.anchor = {
      networkId: chain.networkId,
      now,
      get keys() {
        return current();
      },
    };
  }

  get chain(): NetworkKeyChain {
    return this.#chain;
  }

  /** The successions as they are passed on. */
  get bytes(): Uint8Array {
    return encodeSuccessions(this.#chain.successions);
  }

  /** A person says that the key with this fingerprint is the network's. */
  confirm(fingerprint: NetworkId): void {
    this.#confirmed = fingerprint;
  }

  /**
   * Successions that somebody shows, checked here.
   * @throws KithError `malformed`, `too-large`, `network-key-forged`, `clock-skew`
   */
  take(successions: Uint8Array): Followed["kind"] {
    const followed = follow(this.#chain, decodeSuccessions(successions), this.anchor.now(), this.#confirmed);
    if ("chain" in followed && followed.chain !== this.#chain) {
      this.#chain = followed.chain;
      this.#changed(followed.chain);
    }
    return followed.kind;
  }
}
