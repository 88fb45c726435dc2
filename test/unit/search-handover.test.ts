import { afterEach, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { type SearchKey, SupernodeId, type UserId } from "../../protocol/identifiers.ts";
import { LEASE_REPLICAS } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { decodeProfile, profileKeys } from "../../protocol/profile.ts";
import type { Peers, PeersListener } from "../../relay/links/peers.ts";
import type { MembershipChange } from "../../relay/membership/membership-source.ts";
import { Handover } from "../../relay/search/handover.ts";
import { ProfileShard } from "../../relay/search/profile-shard.ts";
import { ProfileStore } from "../../relay/search/profile-store.ts";
import { Allowances } from "../../relay/search/search-allowance.ts";
import { SEARCH_TIMES } from "../../relay/search/search-limits.ts";
import { SearchMetrics } from "../../relay/search/search-metrics.ts";
import { TestAuthority } from "../support/test-identities.ts";
import { type Person, person, signedProfile } from "../support/test-profiles.ts";
import { until } from "../support/until.ts";

const keys = signingKeyPair();
const NOW = Date.UTC(2026, 10, 23, 12);
const authority = new TestAuthority(keys, () => NOW);
const anchor = trustAnchor(keys.publicKey, () => NOW);
const times = { ...SEARCH_TIMES, settleMs: 5, retryMs: 5 };

interface Holder {
  readonly id: SupernodeId;
  readonly store: ProfileStore;
  readonly shard: ProfileShard;
  readonly handover: Handover;
  readonly metrics: SearchMetrics;
  readonly lose: PeersListener["lost"];
}

/** Holders in one process: real stores, shards and hand-overs; the links between them are function calls. */
class Holders {
  readonly living = new Map<SupernodeId, Holder>();
  readonly #listeners: ((change: MembershipChange) => void)[] = [];
  #ids = 0;
  /** Requests that fail on their way. */
  isDisturbed: (to: SupernodeId) => boolean = () => false;

  get isBusy(): boolean {
    return [...this.living.values()].some(({ handover }) => handover.isBusy);
  }

  settled = () => until(() => !this.isBusy);

  join(): Holder {
    const id = SupernodeId.parse(((++this.#ids * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, "0").repeat(5));
    const store = new ProfileStore();
    const metrics = new SearchMetrics();
    const membership = {
      members: () => new Map([...this.living.keys()].map((member) => [member, undefined as never])),
      onChange: (listener: (change: MembershipChange) => void) => {
        this.#listeners.push(listener);
        return () => undefined;
      },
    };
    const allowances = new Allowances<SupernodeId>({ burst: 1, perMinute: 1 }, () => 0);
    const shard = new ProfileShard({ self: id, anchor, membership, store, allowances, metrics });
    const listeners: PeersListener[] = [];
    const call = async (to: SupernodeId, name: string, input: never): Promise<unknown> => {
      const other = this.living.get(to);
      if (!other || this.isDisturbed(to)) throw new KithError("supernode-unreachable");
      if (name === "offerProfiles") {
        return { wanted: other.shard.lacking((input as { offered: { userId: UserId; sequence: number }[] }).offered) };
      }
      other.shard.put((input as { profile: Uint8Array }).profile);
      return {};
    };
    const peers = { call: call as Peers["call"], listen: (one: PeersListener) => void listeners.push(one) };
    // Itself a member before it looks who is.
    this.living.set(id, undefined as never);
    const parts = { self: id, membership, peers, store, metrics, times, now: () => NOW, random: Math.random };
    const handover = new Handover(parts);
    const lose = (supernodeId: SupernodeId) => {
      for (const one of listeners) one.lost(supernodeId);
    };
    const holder: Holder = { id, store, shard, metrics, handover, lose };
    this.living.set(id, holder);
    this.#tell({ kind: "joined", member: undefined as never });
    return holder;
  }

  kill(holder: Holder): void {
    holder.handover.close();
    this.living.delete(holder.id);
    this.#tell({ kind: "left", supernodeId: holder.id });
  }

  holdersOf(key: SearchKey): Holder[] {
    return holdersOf(key, this.living.keys()).map((id) => this.living.get(id) as Holder);
  }

  publish({ profile }: Person): void {
    const all = new Set(profileKeys(profile.value).flatMap((key) => this.holdersOf(key)));
    for (const { shard } of all) shard.put(profile.bytes);
  }

  /** How many copies are lacking, of all that there should be. */
  missing(people: readonly Person[]): number {
    let count = 0;
    for (const { profile } of people) {
      for (const key of profileKeys(profile.value)) {
        count += this.holdersOf(key).filter(({ store }) => !store.get(profile.value.userId, NOW)).length;
      }
    }
    return count;
  }

  #tell(change: MembershipChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

describe("profiles among holders who come and go", () => {
  let holders: Holders;
  afterEach(() => {
    for (const holder of holders.living.values()) holder.handover.close();
  });

  const network = (count: number) => {
    holders = new Holders();
    return Array.from({ length: count }, () => holders.join());
  };
  const crowd = (count: number) =>
    Array.from({ length: count }, (_, index) => {
      const person_ = person(authority, `user${index}`, ["Anna", "Kowalska", "Li", "王小明"][index % 4]);
      holders.publish(person_);
      return person_;
    });

  it("are whole again after a third of the holders died at once, three times, with newcomers in between", async () => {
    network(18);
    await holders.settled();
    const people = crowd(16);
    expect(holders.missing(people)).toBe(0);
    for (let wave = 0; wave < 3; wave++) {
      const victims = [...holders.living.values()].filter((_, index) => index % 3 === wave);
      for (const victim of victims) holders.kill(victim);
      await holders.settled();
      expect(holders.missing(people)).toBe(0);
      for (let count = 0; count < victims.length; count++) holders.join();
      await holders.settled();
      expect(holders.missing(people)).toBe(0);
    }
  });

  it("go to a newcomer that was not quite up yet, as soon as it is", async () => {
    network(10);
    await holders.settled();
    const people = crowd(10);
    let refusals = 0;
    holders.isDisturbed = () => ++refusals <= 12;
    holders.join();
    await holders.settled();
    expect(refusals).toBeGreaterThan(12);
    expect(holders.missing(people)).toBe(0);
  });

  it("go back to a holder that has forgotten them and was lost for a moment", async () => {
    const [forgetful] = network(10) as [Holder];
    await holders.settled();
    const people = crowd(10);
    forgetful.store.expire(Number.MAX_SAFE_INTEGER);
    expect(holders.missing(people)).toBeGreaterThan(0);
    for (const { lose } of holders.living.values()) lose(forgetful.id);
    await holders.settled();
    expect(holders.missing(people)).toBe(0);
  });

  it("do not come back when they were withdrawn, although some holders had missed that", async () => {
    const all = network(12);
    await holders.settled();
    const [anna] = crowd(1) as [Person];
    const formerKeys = profileKeys(anna.profile.value);
    const withdrawn = signedProfile(anna.device, { sequence: 2, texts: null, formerKeys });
    const [told, ...untold] = holders.holdersOf(formerKeys[0] as SearchKey);
    told?.shard.put(withdrawn);
    expect(untold.some(({ store }) => store.get(anna.device.userId, NOW)?.words)).toBe(true);
    for (const victim of all.filter((one) => one !== told).slice(0, 3)) holders.kill(victim);
    for (let count = 0; count < 3; count++) holders.join();
    await holders.settled();
    // Whoever was offered both keeps the withdrawal.
    const { sequence } = decodeProfile(withdrawn).value;
    const newcomers = holders.holdersOf(formerKeys[0] as SearchKey).filter((one) => !all.includes(one));
    expect(newcomers.length).toBeGreaterThan(0);
    for (const { store } of newcomers) expect(store.get(anna.device.userId, NOW)?.sequence).toBe(sequence);
  });

  it("are sent once to those who lack them, and not at all to those who have them", async () => {
    network(LEASE_REPLICAS);
    await holders.settled();
    crowd(20);
    holders.join();
    await holders.settled();
    const sent = [...holders.living.values()].reduce((sum, { metrics }) => sum + metrics.handedOver, 0);
    // Two survivors offer; both may have asked before either sent.
    expect(sent).toBeGreaterThanOrEqual(20);
    expect(sent).toBeLessThanOrEqual(40);
  });
});
