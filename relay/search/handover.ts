/**
 * Profiles stay at their holders whoever comes and goes: when the members change, the first two
 * who held a word beginning before and still live offer what is under it to its new
 * holders. Besides, everything is offered to one of its other holders every hour, so that what a
 * fault has undone does not stay undone. Only what is lacking is sent.
 */
import type { SearchKey, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { MAX_OFFERED_PROFILES } from "../../protocol/search-api.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import { PlacementTable } from "../records/placement-table.ts";
import type { ProfileStore } from "./profile-store.ts";
import type { SearchTimes } from "./search-limits.ts";
import type { SearchMetrics } from "./search-metrics.ts";
import { rethrowUnlessJudged } from "./storing.ts";

/** Survivors who offer: one of them may die as well. */
const OFFERERS = 2;
/** Word beginnings looked at in one go: some milliseconds in a network of thousands. */
const SLICE = 200;
/** Profiles on their way to one supernode at a time. */
const SENT_AT_ONCE = 16;
/** A supernode that does not take what it is offered is left alone after this many tries, until the next audit. */
const MAX_TRIES = 10;

export interface HandoverParts {
  readonly self: SupernodeId;
  readonly membership: Pick<Membership, "members" | "onChange">;
  readonly peers: Pick<Peers, "call" | "listen">;
  readonly store: ProfileStore;
  readonly metrics: SearchMetrics;
  readonly times: SearchTimes;
  readonly now: () => number;
  readonly random: () => number;
}

/** Which of a key's holders are to be offered what is under it. */
type Choose = (key: SearchKey) => readonly SupernodeId[];

interface Delivery {
  readonly waiting: Set<UserId>;
  tries: number;
  isRunning: boolean;
}

export class Handover {
  readonly #parts: HandoverParts;
  readonly #deliveries = new Map<SupernodeId, Delivery>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #audit: NodeJS.Timeout;
  #table: PlacementTable;
  #settling: NodeJS.Timeout | undefined;
  /** Supernodes that may have lost what they had: they were away for a moment, or have started anew. */
  readonly #forgetful = new Set<SupernodeId>();
  #walks = 0;
  #isClosed = false;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
    this.#table = this.#tableNow();
    parts.membership.onChange((change) => {
      if (change.kind === "renewed") this.#forgetful.add(change.member.value.supernodeId);
      this.#settle();
    });
    parts.peers.listen({
      pushed: () => undefined,
      lost: (supernodeId) => {
        this.#forgetful.add(supernodeId);
        this.#settle();
      },
    });
    this.#audit = setInterval(() => this.#offerToAnother(), parts.times.auditMs);
  }

  /** True while something may be on its way to a new holder. */
  get isBusy(): boolean {
    return this.#settling !== undefined || this.#walks > 0 || this.#deliveries.size > 0;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#audit);
    clearTimeout(this.#settling);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #settle(): void {
    if (this.#isClosed) return;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#repair();
    }, this.#parts.times.settleMs);
  }

  #repair(): void {
    const { self } = this.#parts;
    const [before, after] = [this.#table, this.#tableNow()];
    this.#table = after;
    const changed = [
      ...before.members.filter((id) => !after.has(id)),
      ...after.members.filter((id) => !before.has(id)),
    ];
    const forgetful = new Set([...this.#forgetful].filter((id) => after.has(id) && id !== self));
    this.#forgetful.clear();
    this.#walk((key) => {
      // In a big network most of what is here is here for the sake of other words.
      if (!before.maybeHolds(key, self)) return [];
      const isAffected = [...changed, ...forgetful].some(
        (id) => before.maybeHolds(key, id) || after.maybeHolds(key, id),
      );
      if (!isAffected) return [];
      const had = before.holders(key).filter((id) => !forgetful.has(id));
      const targets = after.holders(key).filter((id) => id !== self && !had.includes(id));
      const survivors = had.filter((id) => after.has(id)).slice(0, OFFERERS);
      // If none survives, whoever has a copy, for whatever reason, is the last hope.
      return survivors.length === 0 || survivors.includes(self) ? targets : [];
    });
  }

  #offerToAnother(): void {
    const { self, random } = this.#parts;
    const table = this.#table;
    this.#walk((key) => {
      const others = table.holders(key).filter((id) => id !== self);
      const other = others[Math.floor(random() * others.length)];
      return other === undefined ? [] : [other];
    });
  }

  /** In slices, so that nothing else waits longer than one of them takes. */
  #walk(choose: Choose): void {
    const keys = [...this.#parts.store.keys()];
    this.#walks++;
    const step = (from: number) => {
      if (this.#isClosed) return;
      for (const key of keys.slice(from, from + SLICE)) {
        for (const target of choose(key)) this.#enqueue(target, key);
      }
      if (from + SLICE < keys.length) setImmediate(() => step(from + SLICE));
      else this.#walks--;
    };
    step(0);
  }

  #enqueue(target: SupernodeId, key: SearchKey): void {
    const delivery = this.#deliveries.get(target) ?? { waiting: new Set(), tries: 0, isRunning: false };
    for (const { userId } of this.#parts.store.under(key)) delivery.waiting.add(userId);
    if (delivery.waiting.size === 0) return;
    this.#deliveries.set(target, delivery);
    if (!delivery.isRunning) void this.#run(target, delivery);
  }

  async #run(target: SupernodeId, delivery: Delivery): Promise<void> {
    delivery.isRunning = true;
    try {
      while (delivery.waiting.size > 0 && !this.#isClosed) {
        const batch = [...delivery.waiting].slice(0, MAX_OFFERED_PROFILES);
        await this.#deliver(target, batch);
        for (const userId of batch) delivery.waiting.delete(userId);
      }
      this.#deliveries.delete(target);
    } catch {
      this.#tryLater(target, delivery);
    }
  }

  /** Whoever has left since is asked no more: its share goes to others. */
  #tryLater(target: SupernodeId, delivery: Delivery): void {
    delivery.tries++;
    if (this.#isClosed || delivery.tries >= MAX_TRIES || !this.#parts.membership.members().has(target)) {
      this.#deliveries.delete(target);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#run(target, delivery);
    }, this.#parts.times.retryMs * delivery.tries);
    this.#timers.add(timer);
  }

  /** @throws KithError if the other cannot be reached or does not take it now */
  async #deliver(target: SupernodeId, userIds: readonly UserId[]): Promise<void> {
    const { peers, store, now, metrics } = this.#parts;
    const offered = userIds.flatMap((userId) => {
      const kept = store.get(userId, now());
      return kept ? [{ userId, sequence: kept.sequence }] : [];
    });
    if (offered.length === 0) return;
    const { wanted } = await peers.call(target, "offerProfiles", { offered });
    const queue = wanted.filter((userId) => offered.some((one) => one.userId === userId));
    const worker = async () => {
      for (let userId = queue.pop(); userId !== undefined; userId = queue.pop()) {
        const kept = store.get(userId, now());
        if (!kept) continue;
        await peers.call(target, "storeProfile", { profile: kept.bytes }).catch(rethrowUnlessJudged);
        metrics.handedOver++;
      }
    };
    await Promise.all(Array.from({ length: Math.min(SENT_AT_ONCE, queue.length) }, worker));
  }

  #tableNow(): PlacementTable {
    return new PlacementTable(this.#parts.membership.members().keys());
  }
}
