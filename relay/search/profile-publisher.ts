/**
 * A home's part in search: sees to it that its people's profiles reach all the holders of their
 * words, however often one of them has to be asked. Devices publish every hour anew; who
 * has stopped is left to the holders, who hand the profile on among themselves.
 */
import type { SearchKey, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { type Profile, profileKeys } from "../../protocol/profile.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import { PlacementTable } from "../records/placement-table.ts";
import { withinMs } from "../within.ts";
import type { SearchTimes } from "./search-limits.ts";
import { rethrowUnlessJudged } from "./storing.ts";

export interface ProfilePublisherParts {
  readonly membership: Pick<Membership, "members" | "onChange">;
  readonly peers: Pick<Peers, "call" | "listen">;
  readonly now: () => number;
  readonly times: SearchTimes;
}

interface Publication {
  readonly profile: Signed<Profile>;
  readonly keys: readonly SearchKey[];
  readonly publishedAt: number;
  readonly informed: Set<SupernodeId>;
  readonly asked: Map<SupernodeId, Promise<void>>;
}

/** Publications looked at in one go: some milliseconds in a network of thousands. */
const SLICE = 10;

export class ProfilePublisher {
  readonly #parts: ProfilePublisherParts;
  readonly #publications = new Map<UserId, Publication>();
  /** Those that some holder may not have heard of. */
  readonly #incomplete = new Set<Publication>();
  readonly #retry: NodeJS.Timeout;
  #table: PlacementTable;
  #settling: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: ProfilePublisherParts) {
    this.#parts = parts;
    this.#table = this.#tableNow();
    parts.membership.onChange((change) => {
      if (change.kind !== "renewed" && !this.#isClosed) {
        this.#settling ??= setTimeout(() => this.#membersChanged(), parts.times.settleMs);
      }
    });
    // It may come back without what it was told.
    parts.peers.listen({ pushed: () => undefined, lost: (supernodeId) => this.#forgetInformed(supernodeId) });
    this.#retry = setInterval(() => this.#offerAgain(), parts.times.republishMs);
  }

  /**
   * @param profile trusted before
   * @throws what the holders answered if none has stored it
   */
  async publish(profile: Signed<Profile>): Promise<void> {
    const bytes = Uint8Array.from(profile.bytes);
    const { userId } = profile.value;
    const earlier = this.#publications.get(userId);
    if (earlier) this.#incomplete.delete(earlier);
    const publication: Publication = {
      profile: { ...profile, bytes },
      keys: profileKeys(profile.value),
      publishedAt: this.#parts.now(),
      informed: new Set(),
      asked: new Map(),
    };
    this.#publications.set(userId, publication);
    this.#offer(publication);
    const asked = [...publication.asked.values()];
    await withinMs(this.#parts.times.publishSettleMs, Promise.allSettled(asked));
    await Promise.any(asked).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#retry);
    clearTimeout(this.#settling);
  }

  /** Most publications have nothing to do with who has come or gone. */
  #membersChanged(): void {
    this.#settling = undefined;
    const [before, after] = [this.#table, this.#tableNow()];
    this.#table = after;
    const changed = [
      ...before.members.filter((id) => !after.has(id)),
      ...after.members.filter((id) => !before.has(id)),
    ];
    for (const publication of this.#publications.values()) {
      // Whoever comes back may have forgotten.
      for (const id of changed) publication.informed.delete(id);
      const isAffected = publication.keys.some((key) =>
        changed.some((id) => before.maybeHolds(key, id) || after.maybeHolds(key, id)),
      );
      if (isAffected) this.#incomplete.add(publication);
    }
    this.#offerSlice([...this.#incomplete]);
  }

  #offerAgain(): void {
    const tooLate = this.#parts.now() - this.#parts.times.publicationMs;
    for (const [userId, publication] of this.#publications) {
      if (publication.publishedAt >= tooLate) continue;
      this.#publications.delete(userId);
      this.#incomplete.delete(publication);
    }
    this.#offerSlice([...this.#incomplete]);
  }

  #offerSlice(publications: Publication[]): void {
    if (this.#isClosed) return;
    for (const publication of publications.splice(0, SLICE)) {
      if (this.#incomplete.has(publication)) this.#offer(publication);
    }
    if (publications.length > 0) setImmediate(() => this.#offerSlice(publications));
  }

  #offer(publication: Publication): void {
    const holders = new Set(publication.keys.flatMap((key) => this.#table.holders(key)));
    const uninformed = [...holders].filter((holder) => !publication.informed.has(holder));
    if (uninformed.length === 0) this.#incomplete.delete(publication);
    else this.#incomplete.add(publication);
    for (const holder of uninformed) {
      if (!publication.asked.has(holder)) this.#ask(publication, holder);
    }
  }

  #ask(publication: Publication, holder: SupernodeId): void {
    const { peers } = this.#parts;
    const asked = peers
      .call(holder, "storeProfile", { profile: publication.profile.bytes })
      .then(() => undefined, rethrowUnlessJudged)
      .then(() => void publication.informed.add(holder));
    publication.asked.set(holder, asked);
    asked.catch(() => undefined).finally(() => publication.asked.delete(holder));
  }

  #forgetInformed(supernodeId: SupernodeId): void {
    for (const publication of this.#publications.values()) {
      if (publication.informed.delete(supernodeId)) this.#incomplete.add(publication);
    }
  }

  #tableNow(): PlacementTable {
    return new PlacementTable(this.#parts.membership.members().keys());
  }
}
