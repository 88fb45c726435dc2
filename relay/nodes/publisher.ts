/**
 * A home's part in the directory: sees to it that the leases of its attached devices, and
 * in the end the word that a device is gone, reach all the holders, however often one of
 * them has to be asked.
 */
import { backoffMs } from "../../protocol/backoff.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceId, InboxId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import type { RelayTimes } from "../relay-times.ts";
import { withinMs } from "../within.ts";

export interface PublisherParts {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly now: () => number;
  readonly random: () => number;
  readonly times: Pick<RelayTimes, "registerSettleMs" | "republishMs" | "goneNoticeMs">;
}

/** What all holders should have heard of one attachment. Kept small: there is one for everybody who is attached. */
interface Publication {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly inbox: InboxId;
  readonly lease: Uint8Array;
  readonly certificate: Uint8Array;
  /** Null as long as the device is attached. */
  goneSince: number | null;
  /** Holders that have heard it. */
  informed: readonly SupernodeId[];
  /** Holders that are being told just now; null most of the time: none. */
  asked: Map<SupernodeId, Promise<void>> | null;
}

/** Publications looked at in one go after a change of membership. */
const OFFER_SLICE = 200;
const MIN_WAIT_MS = 100;

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #publications = new Map<InboxId, Publication>();
  /** Those that some holder may not have heard of. */
  readonly #incomplete = new Set<Publication>();
  #timer: NodeJS.Timeout | undefined;
  #retries = 0;
  #slice: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    parts.membership.onChange((change) => {
      if (change.kind === "renewed") return;
      for (const publication of this.#publications.values()) this.#incomplete.add(publication);
      this.#retries = 0;
      this.#offerAgain();
    });
    // It may come back without what it was told.
    parts.peers.listen({ pushed: () => undefined, lost: (supernodeId) => this.#forgetInformed(supernodeId) });
  }

  /**
   * Puts a trusted lease of an attached device into the directory.
   * @param certificate the device's
   * @throws KithError `lease-stale`, or what the holders answered if none has stored it
   */
  async publish(lease: Signed<Lease>, certificate: Uint8Array): Promise<void> {
    const { userId, deviceId, inbox } = lease.value;
    const earlier = this.#publications.get(inbox);
    if (earlier) this.#incomplete.delete(earlier);
    const publication: Publication = {
      userId,
      deviceId,
      inbox,
      lease: Uint8Array.from(lease.bytes),
      certificate,
      goneSince: null,
      informed: [],
      asked: null,
    };
    this.#publications.set(inbox, publication);
    this.#offer(publication);
    await this.#settled(publication);
  }

  /** The device has left: its holders are told, so that all know when it was last seen. */
  retire(inbox: InboxId, lastSeenAt: number): void {
    const publication = this.#publications.get(inbox);
    if (!publication || publication.goneSince !== null) return;
    publication.goneSince = lastSeenAt;
    publication.informed = [];
    this.#offer(publication);
  }

  /** Waits for what is under way, at most this long. */
  async drain(timeoutMs: number): Promise<void> {
    const underWay = [...this.#publications.values()].flatMap(({ asked }) => [...(asked?.values() ?? [])]);
    await withinMs(timeoutMs, Promise.allSettled(underWay));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#slice);
  }

  #offer(publication: Publication): void {
    const holders = this.#parts.membership.holdersOf(publication.userId);
    const uninformed = holders.filter((holder) => !publication.informed.includes(holder));
    if (uninformed.length === 0) {
      this.#complete(publication);
      return;
    }
    this.#incomplete.add(publication);
    for (const holder of uninformed) {
      if (!publication.asked?.has(holder)) this.#ask(publication, holder);
    }
  }

  #ask(publication: Publication, holder: SupernodeId): void {
    const wasGone = publication.goneSince !== null;
    const asked = this.#tell(publication, holder).then(
      () => {
        if (wasGone === (publication.goneSince !== null)) addInformed(publication, holder);
      },
      (error: unknown) => {
        // Whoever knows a newer lease has nothing to learn from this one.
        if (hasCode(error, "lease-stale")) addInformed(publication, holder);
        else this.#offerLater();
        throw error;
      },
    );
    publication.asked ??= new Map();
    publication.asked.set(holder, asked);
    asked
      .catch(() => undefined)
      .finally(() => {
        publication.asked?.delete(holder);
        if (publication.asked?.size === 0) publication.asked = null;
        if (this.#isClosed) return;
        // The device left while its lease was on the way.
        if (wasGone !== (publication.goneSince !== null)) this.#ask(publication, holder);
        else if (publication.asked === null) this.#completeIfAllInformed(publication);
      });
  }

  async #tell(publication: Publication, holder: SupernodeId): Promise<void> {
    const { userId, deviceId, inbox, lease, certificate, goneSince } = publication;
    if (goneSince === null) await this.#parts.peers.call(holder, "store", { lease, certificate });
    else await this.#parts.peers.call(holder, "markGone", { userId, deviceId, inbox, lastSeenAt: goneSince });
  }

  #completeIfAllInformed(publication: Publication): void {
    const holders = this.#parts.membership.holdersOf(publication.userId);
    if (holders.every((holder) => publication.informed.includes(holder))) this.#complete(publication);
  }

  #complete(publication: Publication): void {
    this.#incomplete.delete(publication);
    if (this.#incomplete.size === 0) this.#retries = 0;
    const { inbox } = publication;
    if (publication.goneSince !== null && this.#publications.get(inbox) === publication) {
      this.#publications.delete(inbox);
    }
  }

  /** With back-off, so that a newcomer that is not quite up yet is not waited for long, nor a dead one asked often. */
  #offerLater(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    const { random, times } = this.#parts;
    const waitMs = Math.min(times.republishMs, MIN_WAIT_MS + backoffMs(this.#retries++, random()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#offerAgain();
    }, waitMs);
  }

  #offerAgain(): void {
    this.#slice ??= setImmediate(() => this.#offerSlice([...this.#incomplete]));
  }

  #offerSlice(publications: Publication[]): void {
    this.#slice = undefined;
    const tooLate = this.#parts.now() - this.#parts.times.goneNoticeMs;
    for (const publication of publications.splice(0, OFFER_SLICE)) {
      if (!this.#incomplete.has(publication)) continue;
      if (publication.goneSince !== null && publication.goneSince < tooLate) this.#complete(publication);
      else this.#offer(publication);
    }
    if (publications.length > 0) this.#slice = setImmediate(() => this.#offerSlice(publications));
  }

  #forgetInformed(supernodeId: SupernodeId): void {
    for (const publication of this.#publications.values()) {
      if (!publication.informed.includes(supernodeId)) continue;
      publication.informed = publication.informed.filter((one) => one !== supernodeId);
      this.#incomplete.add(publication);
    }
    this.#retries = 0;
    this.#offerLater();
  }

  /** Once one holder has stored the lease, slow ones are not waited for very long. */
  async #settled(publication: Publication): Promise<void> {
    const asked = [...(publication.asked?.values() ?? [])];
    const stale = Promise.all(asked.map((one) => one.catch(rethrowStale)));
    await withinMs(this.#parts.times.registerSettleMs, stale);
    await Promise.any(asked).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }
}

function addInformed(publication: Publication, holder: SupernodeId): void {
  if (!publication.informed.includes(holder)) publication.informed = [...publication.informed, holder];
}

function rethrowStale(error: unknown): void {
  if (hasCode(error, "lease-stale")) throw error;
}

function hasCode(error: unknown, code: KithError["code"]): boolean {
  return error instanceof KithError && error.code === code;
}
