/** Addresses of host names for who cannot wait: what is not known yet is looked up for the next time. */
import { lookup } from "node:dns";
import { isIP } from "node:net";

/** Names are looked up again after this: a supernode may move. */
const NAME_LIFE_MS = 5 * 60_000;

interface ResolvedName {
  readonly address: string | null;
  readonly at: number;
}

export class HostNames {
  readonly #names = new Map<string, ResolvedName>();
  readonly #mayDial: (address: string) => boolean;

  /** @param mayDial whether packets may go to this address: a name may lead anywhere */
  constructor(mayDial: (address: string) => boolean) {
    this.#mayDial = mayDial;
  }

  /**
   * @param host a name or an address
   * @returns null the first time a name is asked for, while it has no address, and if that must not be dialled
   */
  addressOf(host: string): string | null {
    const address = isIP(host) ? host : this.#resolved(host);
    return address !== null && this.#mayDial(address) ? address : null;
  }

  #resolved(host: string): string | null {
    const known = this.#names.get(host);
    const isFresh = known !== undefined && performance.now() - known.at < NAME_LIFE_MS;
    if (!isFresh) {
      this.#names.set(host, { address: known?.address ?? null, at: performance.now() });
      lookup(host, (error, address) => {
        if (!error) this.#names.set(host, { address, at: performance.now() });
      });
    }
    return known?.address ?? null;
  }
}
