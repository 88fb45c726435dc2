/**
 * A home's part in search: sees to it that its people's profiles reach all the holders of their
 * words, however often one of them has to be asked. Devices publish every hour anew; who
 * has stopped is left to the holders, who hand the profile on among themselves.
 */
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { type Profile, profileKeys } from "../../protocol/profile.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { Membership } from "../membership-source.ts";
import type { Peers } from "../peers.ts";
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
  readonly publishedAt: number;
  readonly informed: Set<SupernodeId>;
  readonly asked: Map<SupernodeId, Promise<void>>;
}

/** Publications looked at in one go after a change of membership. */
const SLICE = 50;

export class ProfilePublisher {
  readonly #parts: ProfilePublisherParts;
  readonly #publications = new Map<UserId, Publication>();
  readonly #retry: NodeJS.Timeout;
  #isOffering = false;
  #isClosed = false;

  constructor(parts: ProfilePublisherParts) {
    this.#parts = parts;
    parts.membership.onChange((change) => {
      if (change.kind !== "renewed") this.#offerAll();
    });
    // It may come back without what it was told.
    parts.peers.listen({ pushed: () => undefined, lost: (supernodeId) => this.#forgetInformed(supernodeId) });
    this.#retry = setInterval(() => this.#offerAll(), parts.times.republishMs);
  }

  /**
   * @param profile trusted before
   * @throws what the holders answered if none has stored it
   */
  async publish(profile: Signed<Profile>): Promise<void> {
    const bytes = Uint8Array.from(profile.bytes);
    const publication: Publication = {
      profile: { ...profile, bytes },
      publishedAt: this.#parts.now(),
      informed: new Set(),
      asked: new Map(),
    };
    this.#publications.set(profile.value.userId, publication);
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
  }

  #offerAll(): void {
    if (this.#isOffering || this.#isClosed) return;
    this.#isOffering = true;
    const tooLate = this.#parts.now() - this.#parts.times.publicationMs;
    const publications = [...this.#publications];
    const step = () => {
      if (this.#isClosed) return;
      for (const [userId, publication] of publications.splice(0, SLICE)) {
        if (this.#publications.get(userId) !== publication) continue;
        if (publication.publishedAt < tooLate) this.#publications.delete(userId);
        else this.#offer(publication);
      }
      if (publications.length > 0) setImmediate(step);
      else this.#isOffering = false;
    };
    step();
  }

  #offer(publication: Publication): void {
    const members = this.#parts.membership.members();
    const holders = new Set(profileKeys(publication.profile.value).flatMap((key) => holdersOf(key, members.keys())));
    for (const holder of holders) {
      if (!publication.informed.has(holder) && !publication.asked.has(holder)) this.#ask(publication, holder);
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
    for (const { informed } of this.#publications.values()) informed.delete(supernodeId);
  }
}
