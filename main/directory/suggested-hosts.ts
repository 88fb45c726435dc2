/** Where supernodes have sent us that had no room or went away: tried before all others, and once. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";

export class SuggestedHosts {
  #ids: readonly SupernodeId[] = [];

  /** @param ids best first, in place of what was suggested before */
  suggest(ids: readonly SupernodeId[]): void {
    this.#ids = ids;
  }

  /** There is a home: what was said on the way to it will not be so when it is lost. */
  forget(): void {
    this.#ids = [];
  }

  /** Removes from the candidates, which are ordered best first, the one to try next. */
  takeBest(candidates: SupernodeCertificate[]): SupernodeCertificate | undefined {
    const [suggested] = this.#ids.flatMap((id) => candidates.find(({ supernodeId }) => supernodeId === id) ?? []);
    const best = suggested ?? candidates[0];
    if (!best) return undefined;
    candidates.splice(candidates.indexOf(best), 1);
    this.#ids = this.#ids.filter((id) => id !== best.supernodeId);
    return best;
  }
}
