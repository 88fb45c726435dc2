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

  /** @param host a name or an address @returns null the first time a name is asked for, and while it has no address */
  addressOf(host: string): string | null {
    if (isIP(host)) return host;
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
